package chat

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"citebot/internal/citations"
	"citebot/internal/ledger"

	"github.com/prometheus/client_golang/prometheus"
)

// A Desk takes what people say on platforms, answers it and posts the answers, each once.
//
//	Accept ─► ledger: received ─► answer ─► answered ─► posting ─► Send ─► posted
//
// What comes to nothing is dropped; what people see of it is taken back first.
//
// A message is in the ledger when Accept returns, so the platform may acknowledge it. All
// else happens in Run, which may be killed anywhere: what it finds unfinished in the ledger
// it goes on with. A turn that was being posted is looked for before it is posted again.
//
// Turns of one thread are worked one after the other, others beside each other. The
// methods may be called from any goroutine, before and during Run.
type Desk struct {
	cfg     DeskConfig
	metrics deskMetrics
	tells   chan struct{} // bounds what goes on beside the turns
	answers chan struct{} // bounds the answers being made, those that nobody waits for any more included

	asking sync.Mutex // from looking whether a message was answered until it is accepted

	mu      sync.Mutex
	queues  map[string]*queue                 // by platform, so that none waits for another
	running map[int64]context.CancelCauseFunc // turns that are being answered
	told    map[string]time.Time              // who was last told about a limit, and when

	// at is called between two steps of a turn, for tests that stop there; nil otherwise.
	at func(point string)
}

// DeskConfig is what a desk works with. Ledger and Answer are required.
type DeskConfig struct {
	Ledger *ledger.Ledger
	Answer func(ctx context.Context, q Question, progress func(Progress)) (citations.Answer, error)

	Limits map[string]Limits // by platform; none: no limits

	// Asked is told once of each question that somebody gets a reply to what came of it: its
	// verdict, or EndFailed, EndBusy or EndLimited; nil: nobody is.
	Asked func(platform, verdict string)

	Registry prometheus.Registerer // nil: metrics are not kept
	Log      *slog.Logger          // nil: discarded
}

// Limits are how many questions a minute are answered; 0: as many as come.
type Limits struct {
	PerPerson  int
	PerChannel int // private ones not counted
}

// Bounds of the desk.
const (
	workers      = 4                // turns at once on a platform: an answer is mostly arithmetic, a post mostly waiting
	maxWaiting   = 2000             // turns in a platform's queue before new ones are refused politely
	answerWithin = 24 * time.Second // for one answer; a model has writeWithin of it
	draftAfter   = 4 * time.Second  // an answer that takes longer gets a placeholder
	busyPatience = 10 * time.Minute // how long a question waits for the first load of the documents
	failPatience = time.Minute      // and for a search that fails
	tryFor       = 2 * time.Hour    // how long a post is tried in one go
	tooOld       = 24 * time.Hour   // an unfinished question older than this is answered no more
	editWithin   = 5 * time.Minute  // after that a question's edit changes nothing
	stopWithin   = 10 * time.Second // for turns in hand when the bot is told to stop
	tellWithin   = 5 * time.Second
	maxTells     = 16
	maxAnswers   = 8 * workers // being made: a search that hangs must not take ever more with it
	threadCap    = 40          // answers in one thread: beyond it two bots talk to each other
	limitWindow  = time.Minute
)

// NewDesk returns a desk; it starts nothing.
func NewDesk(cfg DeskConfig) (*Desk, error) {
	if cfg.Ledger == nil || cfg.Answer == nil {
		return nil, errors.New("chat.DeskConfig: Ledger and Answer are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Asked == nil {
		cfg.Asked = func(string, string) {}
	}
	d := &Desk{
		cfg:     cfg,
		tells:   make(chan struct{}, maxTells),
		answers: make(chan struct{}, maxAnswers),
		queues:  map[string]*queue{},
		running: map[int64]context.CancelCauseFunc{},
		told:    map[string]time.Time{},
	}
	var err error
	d.metrics, err = newDeskMetrics(cfg.Registry, d.waiting)
	return d, err
}

// queue is that of a platform.
func (d *Desk) queue(platform string) *queue {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.queues[platform]
	if q == nil {
		q = newQueue()
		d.queues[platform] = q
	}
	return q
}

// waiting counts the turns in all queues.
func (d *Desk) waiting() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, q := range d.queues {
		n += q.len()
	}
	return n
}

func (d *Desk) enqueue(t ledger.Turn) { d.queue(t.Platform).add(&job{turn: t.ID, lane: laneOf(t)}) }

// A Receipt says what becomes of a message.
type Receipt struct {
	Fresh  bool   // it is new: no earlier message had one of its keys
	Before bool   // it is to be answered once, and was already
	Notice string // why there will be no reply to its ReplyURL; else ""
}

// Accept writes a message to the ledger. When it returns nil the message is kept, and is
// answered even if the process dies now. p is the platform that it came from, which is
// asked to tell its author when there is no answer; but to a message with a ReplyURL it owes
// an acknowledgement, and says so there itself.
func (d *Desk) Accept(ctx context.Context, p Platform, m Message) (Receipt, error) {
	if d.cfg.Ledger.Damaged() != "" && m.Sent.Before(d.cfg.Ledger.Begun()) && !m.Sent.IsZero() {
		return Receipt{}, nil // the lost ledger may have answered it
	}
	if m.Once {
		d.asking.Lock()
		defer d.asking.Unlock()
		if before, err := d.before(ctx, m.Place, m.ID); before || err != nil {
			return Receipt{Before: before}, err
		}
	}
	t := m.turn()
	reason, notice, err := d.refuse(ctx, m)
	if err != nil {
		return Receipt{}, err
	}
	if t.Reason = reason; reason != "" {
		t.State = ledger.Dropped
	}
	if err := d.prepare(ctx, m, &t); err != nil {
		return Receipt{}, err
	}
	var fresh bool
	t.ID, fresh, err = d.cfg.Ledger.Accept(ctx, t, prefixed(m.Platform, m.Keys)...)
	switch {
	case err != nil:
		return Receipt{}, err
	case !fresh:
		d.metrics.duplicates.Inc()
	case t.Reason == "":
		d.enqueue(t)
		err = d.listen(ctx, m)
	default:
		d.metrics.turns.WithLabelValues(m.Platform, t.Reason).Inc()
		if m.Via != Overheard {
			d.cfg.Asked(m.Platform, ends[t.Reason])
		}
		if m.ReplyURL != "" {
			return Receipt{Fresh: true, Notice: notice}, nil
		}
		d.tellOnce(ctx, p, t, notice)
	}
	return Receipt{Fresh: fresh}, err
}

// prefixed are keys apart from those of other platforms.
func prefixed(platform string, keys []string) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = platform + ":" + k
	}
	return out
}

func (m Message) turn() ledger.Turn {
	return ledger.Turn{
		Place: m.Place, Message: m.ID,
		User: m.User, Name: m.Name, Via: string(m.Via), Text: m.Text, Outside: m.Outside, ReplyURL: m.ReplyURL,
		State: ledger.Received,
	}
}

// prepare makes a turn of what is no question and needs no answering.
func (d *Desk) prepare(ctx context.Context, m Message, t *ledger.Turn) error {
	if m.Via != Handoff && m.Via != Share {
		return nil
	}
	of, err := d.cfg.Ledger.Turn(ctx, m.Of)
	if err != nil {
		return err
	}
	t.State, t.Text, t.Answer = ledger.Answered, of.Text, []byte("{}")
	if m.Via == Share {
		t.Answer, t.Audiences = of.Answer, of.Audiences
	}
	return nil
}

// listen ends a thread's silence when the bot is named, and begins one when a person is
// called to it.
func (d *Desk) listen(ctx context.Context, m Message) error {
	if m.Thread == "" || m.Via != Mention && m.Via != Handoff {
		return nil
	}
	was, err := d.quiet(ctx, m.Place)
	if quiet := m.Via == Handoff; err == nil && was != quiet {
		err = d.cfg.Ledger.SetQuiet(ctx, m.Place, quiet)
	}
	return err
}

// refuse says why a message is not answered, and what its author is told; "" if it is.
func (d *Desk) refuse(ctx context.Context, m Message) (reason, notice string, err error) {
	if m.Via == Handoff || m.Via == Share {
		return "", "", nil
	}
	if d.queue(m.Platform).len() >= maxWaiting {
		return ledger.ReasonBusy, sayBusy, nil
	}
	since := time.Now().Add(-limitWindow)
	limits := d.cfg.Limits[m.Platform]
	if limits.PerPerson > 0 {
		n, err := d.cfg.Ledger.Count(ctx, Place{Platform: m.Platform, Team: m.Team}, m.User, since)
		if err != nil || n >= limits.PerPerson {
			return ledger.ReasonLimited, sayPersonLimit, err
		}
	}
	if limits.PerChannel > 0 && m.Via != Command {
		n, err := d.cfg.Ledger.Count(ctx, Place{Platform: m.Platform, Team: m.Team, Channel: m.Channel}, "", since)
		if err != nil || n >= limits.PerChannel {
			return ledger.ReasonLimited, sayChannelLimit, err
		}
	}
	thread, err := d.thread(ctx, m.Place)
	if err != nil || thread.Answered >= threadCap {
		return ledger.ReasonLimited, sayLongThread, err
	}
	return "", "", nil
}

// thread is what is remembered of a thread; a place outside threads has no memory.
func (d *Desk) thread(ctx context.Context, p Place) (ledger.Thread, error) {
	if p.Thread == "" {
		return ledger.Thread{}, nil
	}
	return d.cfg.Ledger.Thread(ctx, p)
}

// tellOnce tells someone why there is no answer, once a window.
func (d *Desk) tellOnce(ctx context.Context, p Platform, t ledger.Turn, notice string) {
	who := t.Platform + "/" + t.Team + "/" + t.User
	chatter := Via(t.Via) == FollowUp && !LooksLikeQuestion(t.Text)
	if Via(t.Via) == Overheard || chatter || !d.firstTold(who, time.Now()) {
		return
	}
	post := d.post(t)
	d.beside(ctx, func(ctx context.Context) { p.Tell(ctx, post, notice) })
}

func (d *Desk) firstTold(who string, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Sub(d.told[who]) < limitWindow {
		return false
	}
	if len(d.told) > maxWaiting {
		clear(d.told)
	}
	d.told[who] = now
	return true
}

// beside runs f on a goroutine of its own, within tellWithin; when too much goes on
// beside the turns already, not at all.
func (d *Desk) beside(ctx context.Context, f func(ctx context.Context)) {
	select {
	case d.tells <- struct{}{}:
	default:
		return
	}
	go func() {
		defer func() { <-d.tells }()
		defer d.rescue()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellWithin)
		defer cancel()
		f(ctx)
	}()
}

// rescue keeps a panic of a platform from ending the process. It must be deferred itself.
func (d *Desk) rescue() {
	if p := recover(); p != nil {
		d.cfg.Log.Error("panic on a chat platform", slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
	}
}

// Follows reports whether the bot has answered in a thread and may speak there without
// being named.
func (d *Desk) Follows(ctx context.Context, p Place) (bool, error) {
	t, err := d.thread(ctx, p)
	return t.Answered > 0 && !t.Quiet, err
}

// quiet reports whether a person was called in a thread, so that the bot keeps quiet.
func (d *Desk) quiet(ctx context.Context, p Place) (bool, error) {
	t, err := d.thread(ctx, p)
	return t.Quiet, err
}

// Edit takes a question's new words. Soon after it was asked it is answered again, in
// place of the first answer; later the words have no effect. known is false when the
// message was no question, or one that the bot was silent about.
func (d *Desk) Edit(ctx context.Context, p Place, message, text string) (known bool, err error) {
	return d.change(ctx, p, message, func(t *ledger.Turn) bool {
		if t.Text == text || t.Reason != "" || time.Since(t.Accepted) > editWithin {
			return false
		}
		t.Text, t.Answer, t.Verdict = text, nil, ""
		t.Revision++
		if t.State != ledger.Posting && t.State != ledger.Drafting { // what is under way is found out about first
			t.State = ledger.Received
		}
		return true
	})
}

// Withdraw takes back a question that was deleted: an answer that is not posted yet never
// is, and one that is half posted does not stay. A whole one does.
func (d *Desk) Withdraw(ctx context.Context, p Place, message string) error {
	_, err := d.change(ctx, p, message, func(t *ledger.Turn) bool {
		if t.Final() || t.Reason != "" {
			return false
		}
		end(t, "withdrawn")
		return true
	})
	return err
}

// end gives up a turn. What people see of it is taken back first, and before that it is
// found out what they see.
func end(t *ledger.Turn, reason string) {
	t.Reason = reason
	switch {
	case t.State == ledger.Drafting || t.State == ledger.Posting:
	case t.Draft != "" || len(t.Posts) > 0 || t.ReplyURL != "":
		t.State = ledger.Removing
	default:
		t.State = ledger.Dropped
	}
}

// drop ends a turn of which no more can be shown. What is shown of the answer stays; a note
// that one is coming does not.
func drop(t *ledger.Turn, reason string) {
	noted := t.ReplyURL != "" && len(t.Posts) == 0 && t.State != ledger.Removing
	t.Reason, t.State = reason, ledger.Dropped
	if noted {
		t.State = ledger.Removing
	}
}

// change alters the turn that a message asked for, if there is one and alter says so.
func (d *Desk) change(ctx context.Context, p Place, message string, alter func(*ledger.Turn) bool) (known bool, err error) {
	for {
		t, err := d.cfg.Ledger.ByMessage(ctx, p, message)
		if errors.Is(err, ledger.ErrNotFound) {
			return false, nil
		}
		if err != nil || !alter(&t) {
			return err == nil && t.State != ledger.Dropped, err
		}
		_, err = d.cfg.Ledger.Update(ctx, t)
		if errors.Is(err, ledger.ErrChanged) {
			continue
		}
		if err == nil {
			d.stop(t.ID)
			d.enqueue(t)
		}
		return true, err
	}
}

// errStopped ends the answering of a turn that was altered or is wanted no more.
var errStopped = errors.New("stopped")

func (d *Desk) stop(turn int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if cancel := d.running[turn]; cancel != nil {
		cancel(errStopped)
	}
}

// Stop drops what is not posted yet in a thread, because someone there said so.
func (d *Desk) Stop(ctx context.Context, p Place) error {
	unfinished, err := d.cfg.Ledger.Unfinished(ctx)
	if err != nil {
		return err
	}
	for _, t := range unfinished {
		if t.Place != p {
			continue
		}
		if _, err := d.record(ctx, t.ID, func(t *ledger.Turn) {
			if !t.Final() && t.Reason == "" {
				end(t, "stopped")
			}
		}); err != nil {
			return err
		}
		d.stop(t.ID)
		d.enqueue(t)
	}
	return nil
}

// record alters a turn whatever else happens to it meanwhile.
func (d *Desk) record(ctx context.Context, id int64, alter func(*ledger.Turn)) (ledger.Turn, error) {
	for {
		t, err := d.cfg.Ledger.Turn(ctx, id)
		if err != nil {
			return t, err
		}
		alter(&t)
		t, err = d.cfg.Ledger.Update(ctx, t)
		if !errors.Is(err, ledger.ErrChanged) {
			return t, err
		}
	}
}

// Feedback is what someone thinks of an answer.
type Feedback struct {
	Platform string
	Turn     int64
	User     string
	Good     bool
	Comment  string
	Keys     []string // as of a Message
}

// Feedback stores what someone thinks of an answer, in place of what they thought before.
// fresh is false for a delivery that came before.
func (d *Desk) Feedback(ctx context.Context, f Feedback) (fresh bool, err error) {
	opinion := ledger.Feedback{Turn: f.Turn, User: f.User, Good: f.Good, Comment: f.Comment}
	fresh, err = d.cfg.Ledger.SetFeedback(ctx, opinion, prefixed(f.Platform, f.Keys)...)
	switch {
	case err != nil:
		return false, err
	case !fresh:
		d.metrics.duplicates.Inc()
	default:
		d.metrics.feedback.WithLabelValues(map[bool]string{true: "good", false: "bad"}[f.Good]).Inc()
	}
	return fresh, nil
}

// Asked is the message that a turn answers, for a platform that is shown a button of its
// post. ok is false when there is no such turn on that platform.
func (d *Desk) Asked(ctx context.Context, platform string, turn int64) (m Message, ok bool, err error) {
	t, err := d.cfg.Ledger.Turn(ctx, turn)
	if errors.Is(err, ledger.ErrNotFound) || err == nil && t.Platform != platform {
		return Message{}, false, nil
	}
	return Message{
		Place: t.Place, ID: t.Message, User: t.User, Name: t.Name, Text: t.Text, Via: Via(t.Via), Outside: t.Outside,
	}, err == nil, err
}

// before reports whether a message has been answered or is about to be, and counts one that
// comes again.
func (d *Desk) before(ctx context.Context, p Place, message string) (bool, error) {
	t, err := d.cfg.Ledger.ByMessage(ctx, p, message)
	switch {
	case errors.Is(err, ledger.ErrNotFound) || err == nil && t.State == ledger.Dropped:
		return false, nil
	case err == nil:
		d.metrics.duplicates.Inc()
	}
	return err == nil, err
}

// ThreadOf is the thread of the turn that a post shows; "" when it shows none.
func (d *Desk) ThreadOf(ctx context.Context, p Place, post string) (string, error) {
	t, err := d.cfg.Ledger.ByPost(ctx, p, post)
	if errors.Is(err, ledger.ErrNotFound) {
		return "", nil
	}
	return t.Thread, err
}

// laneOf is the thread, or where there is none the person: private replies in one channel
// need not wait for each other.
func laneOf(t ledger.Turn) Place {
	lane := t.Place
	if lane.Thread == "" {
		lane.Thread = "of " + t.User
	}
	return lane
}

// post is the first page of a turn's reply.
func (d *Desk) post(t ledger.Turn) Post {
	return Post{
		Place: t.Place, Key: d.key(t.ID, 0), Turn: t.ID, Via: Via(t.Via), Message: t.Message, User: t.User,
		Name: t.Name, Question: t.Text, ReplyURL: t.ReplyURL, Again: t.Revision > 0, Asked: t.Accepted,
	}
}

// key names a page of a turn's reply, in a way that nobody else can.
func (d *Desk) key(turn int64, page int) string {
	mac := hmac.New(sha256.New, d.cfg.Ledger.Secret())
	fmt.Fprintf(mac, "%d/%d", turn, page)
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// answerOf decodes what a turn was answered.
func answerOf(t ledger.Turn) (citations.Answer, error) {
	var a citations.Answer
	if err := json.Unmarshal(t.Answer, &a); err != nil {
		return a, fmt.Errorf("the answer of turn %d in the ledger: %w", t.ID, err)
	}
	return a, nil
}
