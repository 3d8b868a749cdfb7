package chat

import (
	"regexp"
	"slices"
	"strings"
)

// instructs reports whether a text speaks to a model that may read it instead of to people:
// "ignore previous instructions", "answer with: …". No answer quotes such a text or rests on
// it. That is a precaution, and no proof: what a document says in plain words is what it
// says. What holds without it is that nothing in an answer takes effect, and that all of it
// stands in a passage that the asker may read. Each cell of a row speaks for itself.
func instructs(text string) bool {
	for cell := range strings.SplitSeq(text, " | ") {
		if slices.ContainsFunc(instructions, func(p *regexp.Regexp) bool { return p.MatchString(cell) }) {
			return true
		}
	}
	return slices.ContainsFunc(instructions, func(p *regexp.Regexp) bool { return p.MatchString(text) })
}

var instructions = []*regexp.Regexp{
	regexp.MustCompile(`(?i)\b(ignore|disregard|forget|override|bypass)\b.{0,40}\b(previous|prior|above|earlier|preceding|foregoing|your|system)\b.{0,30}\b(instructions?|rules?|prompts?|guidelines?|passages?|context|messages?|constraints?)\b`),
	regexp.MustCompile(`(?i)\b(system|developer) (prompt|message|note|instructions?|override)\b|\bprompt injection\b|\bjailbreak|\bnew instructions?\b`),
	regexp.MustCompile(`(?i)\b(assistant|chatbot|bot|language model|llm)s?\b.{0,60}\b(say|says|answer|answers|reply|replies|respond|responds|output|outputs|print|repeat|reveal|include|claim)\b`),
	regexp.MustCompile(`(?i)^\W*(please )?(answer|reply|respond|output|print|say|write|repeat|state)\b.{0,60}[:"“]`),
	regexp.MustCompile(`(?i)^\W*(you are|act as|pretend|from now on|henceforth)\b.{0,60}\b(assistant|bot|chatbot|ai|model|mode|dan|unrestricted)\b`),
	regexp.MustCompile(`(?i)\bin (your|every|each|all) (answers?|repl(y|ies)|responses?|outputs?)\b|\b(end|begin|start|finish) (every|each|your|all) (answers?|repl(y|ies)|responses?|messages?)\b`),
	regexp.MustCompile(`(?i)\bwhen(ever)? (you )?(are )?(asked|answer|answering|summari[sz]ing|respond|responding|reply|replying)\b.{0,80}\b(say|answer|reply|respond|write|output|state|include|claim|append|add)\b`),
	regexp.MustCompile(`(?i)<\|\w|\[/?INST\]|^#+ ?(system|instructions?)\b|^(system|assistant|user) ?:`),
}
