package slack

// What our buttons and views are called on the wire. They stand in messages for years:
// a new meaning needs a new name.
const (
	actionFeedback = "feedback" // feedback_buttons; values valueGood+turn, valueBad+turn
	actionPerson   = "person"   // button; value is the turn's number
	actionShare    = "share"    // button; value is the turn's number
	viewFeedback   = "feedback" // callback_id of the modal; private_metadata is the turn's number
	blockComment   = "comment"  // the modal's input block, and its element's action_id
	callbackAnswer = "answer_this"
	commandAsk     = "/ask"

	valueGood = "good:"
	valueBad  = "bad:"

	metadataType = "citebot_post" // message metadata's event_type; its payload is {"key": Post.Key}
)
