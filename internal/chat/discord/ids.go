package discord

// What our buttons, modals and commands are called on the wire. They stand in messages for
// years: a new meaning needs a new name. A custom_id is one of these and the turn's number.
// https://discord.com/developers/docs/components/reference#anatomy-of-a-component
const (
	idGood   = "v1:good:"
	idBad    = "v1:bad:"
	idPerson = "v1:person:" // asks for a person, where the question was public
	idReveal = "v1:reveal:" // asks back first: the question was private
	idCall   = "v1:call:"   // the answer to that
	idShare  = "v1:share:"
	idWhy    = "v1:why:" // the modal that asks what was wrong

	inputComment = "comment" // the modal's text input

	commandAsk     = "ask"
	optionQuestion = "question"
	optionPrivate  = "private"
	commandSources = "sources"
	optionDocument = "document"
	commandKB      = "kb"
	optionStatus   = "status"
	commandAnswer  = "Answer this" // of a message's context menu
)
