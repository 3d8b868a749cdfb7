package slack

// What this surface says in its own words, beside what the desk says on every platform.
const (
	sayUsage           = "Ask me something about the documents: `/ask How long do I have to return something?` Only you see the answer, and you can share it with the channel."
	sayLooking         = "Looking in the documents…"
	sayThanks          = "Thank you, noted."
	sayCalled          = "A person has been asked to help you. They see your question, not this conversation."
	sayCalledAlready   = "A person has been asked to help here already."
	saySharedAlready   = "This answer has been shared already."
	sayAnsweredAlready = "This message has been answered in its thread."
	sayNothingToAnswer = "There is nothing in this message that I could answer."
	sayElsewhere       = "I could not answer where you asked, so here it is:"
)
