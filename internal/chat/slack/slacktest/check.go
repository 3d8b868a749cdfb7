package slacktest

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// A refusal is what Slack answers to arguments that it does not take.
type refusal struct {
	code     string
	messages []string // of response_metadata
}

// A checker holds one request against the rules. The server's lock is held.
type checker struct {
	*Server
	where   string // begins each line
	lines   []string
	refusal refusal
}

// say records a breach of a rule that Slack does not enforce.
func (k *checker) say(format string, args ...any) {
	k.lines = append(k.lines, k.where+": "+fmt.Sprintf(format, args...))
}

// refuse records a breach that Slack answers with an error; the first one names it.
func (k *checker) refuse(code, format string, args ...any) {
	k.say(format, args...)
	if k.refusal.code == "" {
		k.refusal.code = code
	}
	if k.refusal.code == code {
		k.refusal.messages = append(k.refusal.messages, "[ERROR] "+fmt.Sprintf(format, args...))
	}
}

// most refuses what is longer than a limit in characters.
func (k *checker) most(code, what, value string, limit int) {
	if n := utf8.RuneCountInString(value); n > limit {
		k.refuse(code, "%s has %d characters, the limit is %d", what, n, limit)
	}
}

// record makes violations of what was found.
func (k *checker) record() {
	for _, line := range k.lines {
		k.violate("%s", line)
	}
}

// inspect holds a call against the rules when it arrives; the lock is held.
func (s *Server) inspect(c *call) {
	k := checker{Server: s, where: c.Method}
	for _, what := range c.broken {
		k.say("%s", what)
	}
	k.encoding(c)
	k.method(c)
	k.record()
	c.refusal = k.refusal
	if m, ok := s.methods[c.Method]; ok && m.scope != nil {
		if scope := m.scope(c); scope != "" {
			s.scopes[scope] = true
		}
	}
}

func (k *checker) encoding(c *call) {
	if c.noUTF8 {
		k.say("the body is not UTF-8")
	}
	for _, name := range sortedKeys(c.Args) {
		value := c.String(name)
		switch {
		case !utf8.ValidString(value):
			k.say("%s is not UTF-8", name)
		case strings.ContainsRune(value, utf8.RuneError) || strings.Contains(value, `\ufffd`):
			k.say("%s holds U+FFFD: text was cut inside a character", name)
		}
	}
}

func (k *checker) method(c *call) {
	switch c.Method {
	case "chat.postMessage", "chat.update":
		k.message(c)
		k.unfurls(c)
	case "chat.postEphemeral", ResponseURL:
		k.message(c)
	case "chat.startStream", "chat.appendStream", "chat.stopStream":
		k.stream(c)
	case "views.open", "views.publish":
		k.viewCall(c)
	case "assistant.threads.setStatus":
		k.status(c)
	case "assistant.threads.setSuggestedPrompts":
		k.prompts(c)
	default:
		if _, ok := k.methods[c.Method]; !ok {
			k.say("there is no such method")
		}
	}
}

// Limits of a message's text. https://docs.slack.dev/reference/methods/chat.postMessage and
// https://docs.slack.dev/reference/methods/chat.update
const (
	maxUpdateText = 4000
	maxMarkdown   = 12000 // also of a call that streams
)

// message checks what chat.postMessage, postEphemeral, update, a response URL and the
// acknowledgement of a command have in common.
func (k *checker) message(c *call) {
	written, markdown := c.String("text"), c.String("markdown_text")
	blocks, hasBlocks := k.decodeBlocks(c, "blocks")
	k.noBroadcast(c)
	k.metadata(c)
	k.limitText(c, written)
	k.mrkdwn("text", written)
	k.most("msg_too_long", "markdown_text", markdown, maxMarkdown)
	k.markdown("markdown_text", markdown)
	if remove, _ := c.Bool("delete_original"); remove {
		return
	}
	switch {
	case written == "" && markdown == "" && !hasBlocks:
		k.refuse("no_text", "neither text nor blocks")
	case written == "" && len(blocks) > 0:
		k.say("blocks without text: notifications and screen readers have nothing to say")
	case markdown != "" && (written != "" || len(blocks) > 0):
		k.refuse("markdown_text_conflict", "markdown_text beside text or blocks")
	}
	k.blocks(blocks, inMessage)
}

func (k *checker) limitText(c *call, written string) {
	switch {
	case c.Method == "chat.update":
		k.most("msg_too_long", "text", written, maxUpdateText)
	case c.Method == "chat.postMessage":
		if n := utf8.RuneCountInString(written); n > maxText {
			k.say("text has %d characters, Slack cuts at %d", n, maxText)
		}
	default:
		k.most("msg_too_long", "text", written, maxText)
	}
}

// decodeBlocks reads an argument of blocks. With response URLs slack-go sends null for none.
func (k *checker) decodeBlocks(c *call, name string) (blocks []map[string]any, given bool) {
	v, err := c.json(name)
	if err != nil {
		k.refuse("invalid_blocks_format", "%v", err)
		return nil, true
	}
	if v == nil {
		return nil, false
	}
	all, ok := v.([]any)
	if !ok {
		k.refuse("invalid_blocks_format", "%s is no array", name)
		return nil, true
	}
	return objects(all), true
}

// noBroadcast keeps answers in their thread and names in them dead.
func (k *checker) noBroadcast(c *call) {
	for _, name := range []string{"reply_broadcast", "link_names"} {
		if _, given := c.Bool(name); given {
			k.say("%s is set", name)
		}
	}
	if c.String("parse") == "full" {
		k.say("parse is full: names and channels in the text would become links")
	}
}

func (k *checker) unfurls(c *call) {
	for _, name := range []string{"unfurl_links", "unfurl_media"} {
		if on, given := c.Bool(name); on || !given {
			k.say("%s is not false", name)
		}
	}
}

// metadata checks message metadata. https://docs.slack.dev/messaging/message-metadata
func (k *checker) metadata(c *call) {
	v, err := c.json("metadata")
	if err != nil {
		k.refuse("invalid_metadata_format", "%v", err)
		return
	}
	o := object(v)
	switch {
	case v == nil || len(o) == 0 && o != nil:
		return
	case o == nil:
		k.refuse("invalid_metadata_format", "metadata is no object")
		return
	case c.Method == ResponseURL && text(o["event_type"]) == "" && len(object(o["event_payload"])) == 0:
		return // slack-go sends it empty
	case text(o["event_type"]) == "":
		k.refuse("invalid_metadata_schema", "metadata has no event_type")
	}
	if _, ok := o["event_payload"].(map[string]any); !ok {
		k.refuse("invalid_metadata_schema", "metadata's event_payload is no object")
	}
}

// stream checks chat.startStream, appendStream and stopStream.
func (k *checker) stream(c *call) {
	ch := k.state.channel(c.channel())
	if c.Method == "chat.startStream" {
		k.startStream(c, ch)
	}
	markdown := c.String("markdown_text")
	k.most("msg_too_long", "markdown_text", markdown, maxMarkdown)
	k.markdown("markdown_text", markdown)
	k.metadata(c)
	k.chunks(c)
	blocks, _ := k.decodeBlocks(c, "blocks")
	k.blocks(blocks, inMessage)
}

func (k *checker) startStream(c *call, ch *channel) {
	if c.String("thread_ts") == "" {
		k.say("no thread_ts: a stream is a reply")
	}
	if ch == nil || ch.Type == DirectMessage {
		return
	}
	for _, name := range []string{"recipient_team_id", "recipient_user_id"} {
		if c.String(name) == "" {
			k.say("no %s, which a stream in a channel needs", name)
		}
	}
}

// chunks checks what streams carry.
// https://docs.slack.dev/reference/methods/chat.appendStream
func (k *checker) chunks(c *call) {
	v, err := c.json("chunks")
	if err != nil {
		k.refuse("invalid_chunks", "%v", err)
		return
	}
	length := 0
	for i, chunk := range objects(v) {
		where := fmt.Sprintf("chunks[%d]", i)
		switch text(chunk["type"]) {
		case "markdown_text":
			k.markdown(where, text(chunk["text"]))
			length += utf8.RuneCountInString(text(chunk["text"]))
		case "blocks":
			k.blocks(objects(chunk["blocks"]), inMessage)
		case "task_update":
			if text(chunk["id"]) == "" || text(chunk["title"]) == "" {
				k.refuse("invalid_chunks", "%s has no id or no title", where)
			}
		case "plan_update":
		default:
			k.refuse("invalid_chunks", "%s has the unknown type %q", where, text(chunk["type"]))
		}
	}
	if length > maxMarkdown {
		k.refuse("msg_too_long", "chunks have %d characters, the limit is %d", length, maxMarkdown)
	}
}

// maxLoading is the most loading messages, and maxPrompts the most prompts.
// https://docs.slack.dev/reference/methods/assistant.threads.setStatus and
// https://docs.slack.dev/reference/methods/assistant.threads.setSuggestedPrompts
const (
	maxLoading = 10
	maxPrompts = 4
)

// status checks assistant.threads.setStatus. In a form the loading messages are joined by
// commas, so that a comma inside one splits it; the blank after that comma gives it away.
func (k *checker) status(c *call) {
	if c.String("thread_ts") == "" {
		k.refuse("invalid_arguments", "no thread_ts")
	}
	if _, given := c.Args["status"]; !given {
		k.refuse("invalid_arguments", "no status")
	}
	messages, joined := loadingMessages(c)
	if len(messages) > maxLoading {
		k.refuse("invalid_arguments", "%d loading_messages, the limit is %d", len(messages), maxLoading)
	}
	for _, m := range messages {
		split := joined && m != strings.TrimSpace(m)
		if m == "" || split || strings.Contains(m, ",") {
			k.say("a comma in loading_messages splits them: %q", c.String("loading_messages"))
			return
		}
	}
}

func loadingMessages(c *call) (messages []string, joined bool) {
	written, isText := c.Args["loading_messages"].(string)
	if isText && !strings.HasPrefix(written, "[") {
		return strings.Split(written, ","), true
	}
	for _, m := range list(c.JSON("loading_messages")) {
		messages = append(messages, text(m))
	}
	return messages, false
}

func (k *checker) prompts(c *call) {
	if c.String("thread_ts") != "" {
		k.say("thread_ts makes it fail silently in an agent app; leave it out")
	}
	prompts := objects(c.JSON("prompts"))
	if len(prompts) == 0 || len(prompts) > maxPrompts {
		k.refuse("invalid_arguments", "%d prompts, there must be 1 to %d", len(prompts), maxPrompts)
	}
	for i, p := range prompts {
		if text(p["title"]) == "" || text(p["message"]) == "" {
			k.refuse("invalid_arguments", "prompts[%d] has no title or no message", i)
		}
	}
}

// A pace is a bucket of posts to a channel: one a second, and a few at once.
// https://docs.slack.dev/apis/web-api/rate-limits
type pace struct {
	left float64
	at   time.Time
}

const (
	burst  = 3
	jitter = 0.2 // of a post: arrival times tremble
)

// keepPace counts posts to a channel by their arrival; the lock is held.
func (s *Server) keepPace(c *call) {
	switch c.Method {
	case "chat.postMessage", "chat.postEphemeral", "chat.startStream":
	default:
		return
	}
	p := s.paces[c.channel()]
	if p == nil {
		p = &pace{left: burst, at: c.At}
		s.paces[c.channel()] = p
	}
	p.left = min(burst, p.left+c.At.Sub(p.at).Seconds())
	p.at = c.At
	if p.left < 1-jitter {
		if len(s.tooFast) < maxLines {
			s.tooFast = append(s.tooFast, fmt.Sprintf("%s: %s: %.1f s too early at %s", c.Method, c.channel(), 1-p.left, c.At.Format("15:04:05.000")))
		}
		return
	}
	p.left--
}
