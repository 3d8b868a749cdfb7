package slack

// What this surface says in its own words, beside what the desk says on every platform.
const (
	sayUsage           = "Ask me something about the documents: `/ask How long do I have to return something?` Only you see the answer, and you can share it with the channel."
	sayLooking         = "Looking in the documents…"
	sayThanks          = "Thank you, noted."
	sayCalled          = "I am passing your question on to a person. They see the question, not this conversation."
	sayCalledAlready   = "A person has been asked already."
	sayNobodyCalled    = "I could not reach a person: Slack did not let me post where they help. Please contact them yourself."
	sayNotShared       = "I could not share the answer, because I may not post in that channel. Type `/invite` and my name there, then share it again."
	saySharedAlready   = "This answer has been shared already."
	sayAnsweredAlready = "This message has been answered in its thread."
	sayNothingToAnswer = "There is nothing in this message that I could answer."
	sayElsewhere       = "I could not answer where you asked, so here it is:"
)
