package discord

const (
	sayNotKnown = "I do not know this any more. Please ask anew."
	sayTryAgain = "I could not take that just now. Please try again in a moment."
	sayNobody   = "There is nobody I could ask from here."
	sayShared   = "I am sharing the answer."
)
