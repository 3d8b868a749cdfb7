package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"citebot/internal/citations"
	"citebot/internal/kb"
	"citebot/internal/ledger"
)

// Run answers and posts until ctx ends, beginning with what an earlier run left
// unfinished. Turns in hand at the end have ten seconds to get done; the others are done
// by the next run. Turns of platforms that are not given wait in the ledger. Each platform
// has workers of its own: one that hangs holds up no other.
func (d *Desk) Run(ctx context.Context, platforms ...Platform) error {
	unfinished, err := d.cfg.Ledger.Unfinished(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	for _, t := range unfinished {
		if slices.ContainsFunc(platforms, func(p Platform) bool { return p.Name() == t.Platform }) {
			d.enqueue(t)
		}
	}
	if n := d.waiting(); n > 0 {
		d.cfg.Log.Info("going on with unfinished questions", slog.Int("questions", n))
	}
	inHand, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopWithin, cut) })()
	var group sync.WaitGroup
	group.Go(func() { d.prune(ctx) })
	for _, p := range platforms {
		group.Go(func() { d.serve(ctx, inHand, p) })
	}
	group.Wait()
	for range maxTells { // those beside the turns have their own time limit
		d.tells <- struct{}{}
	}
	for range maxTells {
		<-d.tells
	}
	return nil
}

// serve works on the turns of one platform until ctx ends.
func (d *Desk) serve(ctx, inHand context.Context, p Platform) {
	jobs := make(chan *job)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for j := range jobs {
				d.workSafely(inHand, p, j)
			}
		})
	}
	d.dispatch(ctx, d.queue(p.Name()), jobs)
	close(jobs)
	group.Wait()
}

// dispatch gives jobs to workers until ctx ends.
func (d *Desk) dispatch(ctx context.Context, q *queue, jobs chan<- *job) {
	ready := time.NewTimer(0)
	defer ready.Stop()
	for ctx.Err() == nil {
		j, wait := q.next(time.Now())
		if j != nil {
			jobs <- j // workers go on receiving until this function has returned
			continue
		}
		if wait > 0 {
			ready.Reset(wait)
		}
		select {
		case <-ctx.Done():
		case <-ready.C:
		case <-q.bell:
		}
	}
}

// prune keeps the ledger from growing with what nobody asks for any more, until ctx ends.
func (d *Desk) prune(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := d.cfg.Ledger.Prune(ctx, time.Now()); err != nil && ctx.Err() == nil {
			d.cfg.Log.Error("the ledger cannot be pruned", slog.Any("error", err))
		}
	}
}

// workSafely works on a job and puts it back if it is not done. A panic ends the turn,
// not the bot: it would come again at every try.
func (d *Desk) workSafely(ctx context.Context, p Platform, j *job) {
	q := d.queue(p.Name())
	defer q.release(j)
	defer func() {
		broken := recover()
		if broken == nil {
			return
		}
		d.cfg.Log.Error("panic while answering", slog.Int64("turn", j.turn), slog.String("panic", fmt.Sprint(broken)),
			slog.String("stack", string(debug.Stack())))
		if _, err := d.record(ctx, j.turn, func(t *ledger.Turn) { drop(t, "defect") }); err != nil {
			d.cfg.Log.Error("the ledger cannot be written", slog.Any("error", err))
		}
		q.add(j) // there may be something to take back
	}()
	if j.since.IsZero() {
		j.since, j.pause = time.Now(), Pause{First: time.Second, Most: time.Minute}
	}
	wait, again := d.work(ctx, p, j)
	if again {
		j.ready = time.Now().Add(wait)
		q.add(j)
	}
}

// work takes steps until the turn is final or has to wait; again says that it has.
func (d *Desk) work(ctx context.Context, p Platform, j *job) (wait time.Duration, again bool) {
	for {
		t, err := d.cfg.Ledger.Turn(ctx, j.turn)
		if err == nil && t.Final() {
			d.settle(ctx, p, t, j)
			return 0, false
		}
		if err == nil {
			err = d.step(ctx, p, t, j)
		}
		var w *Wait
		switch {
		case err == nil:
		case errors.Is(err, ledger.ErrChanged): // by an edit or a deletion: look again
		case ctx.Err() != nil: // told to stop: the next run goes on
			return 0, false
		case errors.As(err, &w) && w.For > 0:
			return w.For, true
		default:
			d.cfg.Log.Warn("a turn is tried again", slog.Int64("turn", j.turn), slog.String("platform", t.Platform),
				slog.Any("error", err))
			return j.pause.Next(), true
		}
	}
}

// settle takes back the note that a turn is being worked on when no answer replaces it.
func (d *Desk) settle(ctx context.Context, p Platform, t ledger.Turn, j *job) {
	if t.State != ledger.Dropped || !j.shown {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tellWithin)
	defer cancel()
	p.Working(ctx, d.post(t), "")
}

// step brings a turn one state further. An error that is not a Wait is tried again later.
func (d *Desk) step(ctx context.Context, p Platform, t ledger.Turn, j *job) error {
	d.reach(string(t.State))
	if time.Since(t.Accepted) > tooOld || time.Since(j.since) > tryFor {
		d.cfg.Log.Error("a turn is given up", slog.Int64("turn", t.ID), slog.String("platform", t.Platform),
			slog.String("state", string(t.State)))
		d.metrics.turns.WithLabelValues(t.Platform, "given up").Inc()
		_, err := d.record(ctx, t.ID, func(t *ledger.Turn) { drop(t, "given up") })
		return err
	}
	switch t.State {
	case ledger.Received:
		return d.answer(ctx, p, t, j)
	case ledger.Removing:
		return d.remove(ctx, p, t)
	case ledger.Drafting:
		return d.findDraft(ctx, p, t, j)
	case ledger.Answered:
		return d.show(ctx, p, t, j)
	case ledger.Posting:
		return d.findPage(ctx, p, t)
	}
	return fmt.Errorf("turn %d is in state %q, which this version does not know", t.ID, t.State)
}

// reach tells a test where the desk is.
func (d *Desk) reach(point string) {
	if d.at != nil {
		d.at(point)
	}
}

// answer answers a question, or finds that it better stays silent.
func (d *Desk) answer(ctx context.Context, p Platform, t ledger.Turn, j *job) error {
	audiences, err := p.Audiences(ctx, t.Place, t.Outside)
	if err != nil {
		return err
	}
	history, err := d.history(ctx, t, audiences)
	if err != nil {
		return err
	}
	running, cancel := d.runs(ctx, t.ID)
	defer cancel()
	told := d.working(ctx, p, t, j)
	late := func(t ledger.Turn) (ledger.Turn, error) { return d.draft(ctx, p, t, j) }
	t, a, err := d.ask(running, t, Question{Text: t.Text, History: history, Audiences: audiences}, late)
	told()
	if errors.Is(context.Cause(running), errStopped) {
		return ledger.ErrChanged
	}
	if err != nil {
		a, err = d.excuse(t, err, j.since)
	}
	if err != nil {
		return err
	}
	t.Audiences, t.State = audiences, ledger.Answered
	silent := ""
	if t.Verdict, silent = judge(t, a); silent != "" {
		end(&t, silent)
		d.metrics.turns.WithLabelValues(t.Platform, silent).Inc()
	}
	if t.Answer, err = json.Marshal(a); err != nil {
		return err
	}
	if _, err = d.cfg.Ledger.Update(ctx, t); err == nil && silent == "" && t.Revision == 0 {
		d.cfg.Asked(t.Platform, endOf(a))
	}
	return err
}

// endOf is what came of a question, for the metrics.
func endOf(a citations.Answer) string {
	if a.Notice == sayFailed {
		return EndFailed
	}
	return string(a.Verdict)
}

// runs lets Stop and edits end the answering of a turn.
func (d *Desk) runs(ctx context.Context, turn int64) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running[turn] = cancel
	return ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.running, turn)
		cancel(nil)
	}
}

// working shows, once, that a question is being worked on. The function that it returns
// waits until the platform has been told, so that no such note comes after the answer.
func (d *Desk) working(ctx context.Context, p Platform, t ledger.Turn, j *job) (told func()) {
	if j.shown || Via(t.Via) == Overheard || Via(t.Via) == FollowUp && !LooksLikeQuestion(t.Text) {
		return func() {}
	}
	j.shown = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellWithin)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer d.rescue()
		p.Working(ctx, d.post(t), Searching)
	}()
	return func() {
		defer cancel()
		select {
		case <-done:
		case <-time.After(time.Second): // a platform that hangs must not hold up the answer
			cancel()
			<-done
		}
	}
}

// errHanging says that answers which nobody waits for any more have not come to an end.
var errHanging = fmt.Errorf("earlier answers hang: %w", kb.ErrBusy)

// ask gets an answer; when that takes longer than people like to wait it calls late
// meanwhile.
func (d *Desk) ask(ctx context.Context, t ledger.Turn, q Question, late func(ledger.Turn) (ledger.Turn, error)) (ledger.Turn, citations.Answer, error) {
	select {
	case d.answers <- struct{}{}:
	default:
		return t, citations.Answer{}, errHanging
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	type result struct {
		answer citations.Answer
		err    error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-d.answers }()
		defer func() {
			if p := recover(); p != nil {
				done <- result{err: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
			}
		}()
		a, err := d.cfg.Answer(ctx, q, nil)
		done <- result{a, err}
	}()
	patience := time.NewTimer(draftAfter)
	defer patience.Stop()
	select {
	case r := <-done:
		return t, r.answer, r.err
	case <-ctx.Done(): // Answer may not listen
		return t, citations.Answer{}, ctx.Err()
	case <-patience.C:
	}
	t, err := late(t)
	if err != nil {
		return t, citations.Answer{}, err
	}
	select {
	case r := <-done:
		return t, r.answer, r.err
	case <-ctx.Done():
		return t, citations.Answer{}, ctx.Err()
	}
}

// excuse turns an error of answering into a Wait, or when patience is over into an
// apology in place of an answer. Errors of the placeholder are none of answering.
func (d *Desk) excuse(t ledger.Turn, err error, since time.Time) (citations.Answer, error) {
	if Retryable(err) || errors.Is(err, ledger.ErrChanged) || errors.Is(err, context.Canceled) {
		return citations.Answer{}, err
	}
	patience, pause := failPatience, 5*time.Second
	switch {
	case errors.Is(err, kb.ErrBusy):
		patience, pause = busyPatience, time.Second
	case errors.Is(err, context.DeadlineExceeded):
		patience = 0
	}
	if time.Since(since) < patience {
		return citations.Answer{}, &Wait{For: pause, Err: err}
	}
	d.cfg.Log.Error("a question could not be answered", slog.Int64("turn", t.ID), slog.Any("error", err))
	return reply(sayFailed), nil
}

// judge says what an answer counts as, and why nobody gets to see it if so. What is no
// question has no verdict: it is no gap in the documents.
func judge(t ledger.Turn, a citations.Answer) (verdict, silent string) {
	verdict = string(a.Verdict)
	_, refused := guard(t.Text)
	if refused != nil || a.Notice == sayFailed {
		verdict = ""
	}
	chatter := refused != nil || a.Verdict == citations.NoAnswer && !LooksLikeQuestion(t.Text)
	switch Via(t.Via) {
	case Overheard:
		if a.Verdict != citations.Answered || refused != nil {
			return verdict, "unsure"
		}
	case FollowUp:
		if chatter {
			return "", "not a question"
		}
	}
	return verdict, ""
}

// How much of a conversation is remembered.
const (
	remembered       = 4                // turns of the thread
	rememberedDirect = 2                // turns of a direct conversation, for a question outside its threads
	rememberedFor    = 15 * time.Minute // and for how long
)

// history is what was said before in the thread. In direct messages people also go on
// outside the thread. What was answered from documents that this place may no longer see
// is forgotten.
func (d *Desk) history(ctx context.Context, t ledger.Turn, audiences []string) ([]Turn, error) {
	if t.Thread == "" {
		return nil, nil
	}
	turns, err := d.cfg.Ledger.History(ctx, t.Place, t.ID, time.Time{}, remembered)
	if err == nil && len(turns) == 0 && Via(t.Via) == Direct {
		beside := t.Place
		beside.Thread = ""
		turns, err = d.cfg.Ledger.History(ctx, beside, t.ID, time.Now().Add(-rememberedFor), rememberedDirect)
	}
	if err != nil {
		return nil, err
	}
	var said []Turn
	for _, before := range turns {
		a, err := answerOf(before)
		if err != nil || a.Verdict == "" || !within(before.Audiences, audiences) {
			continue
		}
		said = append(said, Turn{"user", before.Text}, Turn{"assistant", a.Text})
	}
	return said, nil
}

// draft puts up a placeholder, for questions asked where others see it or in a thread. A
// place that refuses it gets the answer alone, later.
func (d *Desk) draft(ctx context.Context, p Platform, t ledger.Turn, j *job) (ledger.Turn, error) {
	post := d.post(t)
	post.Draft = true
	if j.noDraft || t.ReplyURL != "" || t.Draft != "" || t.Revision > 0 || Via(t.Via) == Overheard || Via(t.Via) == FollowUp || p.Slot(post) > 0 {
		return t, nil
	}
	t.State = ledger.Drafting
	t, err := d.cfg.Ledger.Update(ctx, t)
	if err != nil {
		return t, err
	}
	d.reach("drafting sent")
	id, err := p.Send(ctx, post, "")
	d.reach("drafting answered")
	if errors.Is(err, ErrUnknown) {
		return t, err
	}
	got, err := d.record(ctx, t.ID, func(t *ledger.Turn) { drafted(t, id) })
	if err == nil && (got.State != ledger.Received || got.Revision != t.Revision) {
		err = ledger.ErrChanged
	}
	return got, err
}

// drafted is where a turn goes on once it is known whether its placeholder is there.
func drafted(t *ledger.Turn, id string) {
	t.Draft = id
	if t.State == ledger.Drafting {
		t.State = ledger.Received
	}
	if t.Reason != "" {
		end(t, t.Reason)
	}
}

// findDraft finds out whether a placeholder was put up before the process died. Where that
// cannot be found out, the answer does without one.
func (d *Desk) findDraft(ctx context.Context, p Platform, t ledger.Turn, j *job) error {
	post := d.post(t)
	post.Draft = true
	id, err := p.Find(ctx, post)
	if err != nil && (Retryable(err) || ctx.Err() != nil) {
		return err
	}
	j.noDraft = id == ""
	drafted(&t, id)
	_, err = d.cfg.Ledger.Update(ctx, t)
	return err
}

// remove takes back what is shown of a turn that came to nothing. What a platform will not
// take back stays.
func (d *Desk) remove(ctx context.Context, p Platform, t ledger.Turn) error {
	shown := t.Posts
	if t.Draft != "" {
		shown = append(shown, t.Draft)
	}
	for _, id := range shown {
		err := p.Remove(ctx, d.post(t), id)
		if err != nil && (Retryable(err) || ctx.Err() != nil) {
			return err
		}
		if err != nil {
			d.cfg.Log.Warn("a post cannot be taken back", slog.String("platform", t.Platform), slog.Any("error", err))
		}
	}
	if t.ReplyURL != "" && len(t.Posts) == 0 {
		brief, cancel := context.WithTimeout(ctx, tellWithin)
		defer cancel()
		p.Working(brief, d.post(t), "")
	}
	t.State, t.Draft, t.Posts = ledger.Dropped, "", nil
	_, err := d.cfg.Ledger.Update(ctx, t)
	return err
}

// show posts the pages of an answer that are not shown yet. After an edit it first brings
// those that are up to date; doing that twice changes nothing.
func (d *Desk) show(ctx context.Context, p Platform, t ledger.Turn, j *job) error {
	post, pages, err := d.reply(p, t)
	if err != nil {
		return err
	}
	if Via(t.Via) == Share {
		if err := d.mayShare(ctx, p, t); err != nil {
			return err
		}
	}
	if t.Revision > 0 {
		if err := d.showAgain(ctx, p, t, post, pages); err != nil {
			return err
		}
		t.Posts = t.Posts[:min(len(t.Posts), pages)]
	}
	if len(t.Posts) == pages {
		t.State = ledger.Posted
		t, err = d.cfg.Ledger.Update(ctx, t)
		if err == nil {
			d.shown(t, post.Answer)
		}
		return err
	}
	if err := j.takeSlot(p, post, t.Draft); err != nil {
		return err
	}
	t.State = ledger.Posting
	if t, err = d.cfg.Ledger.Update(ctx, t); err != nil {
		return err
	}
	d.reach("posting sent")
	return d.send(ctx, p, t, d.page(post, len(t.Posts)))
}

// mayShare makes sure that a place may still see the documents that a private answer was
// made from.
func (d *Desk) mayShare(ctx context.Context, p Platform, t ledger.Turn) error {
	audiences, err := p.Audiences(ctx, t.Place, t.Outside)
	if err != nil || within(t.Audiences, audiences) {
		return err
	}
	post := d.post(t)
	d.beside(ctx, func(ctx context.Context) { p.Tell(ctx, post, sayNotForAll) })
	end(&t, "not for this place")
	if _, err := d.cfg.Ledger.Update(ctx, t); err != nil {
		return err
	}
	return ledger.ErrChanged
}

// within reports whether all of some audiences are among others.
func within(some, others []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(others, s) })
}

// takeSlot is a Wait until the moment that the platform has for a post. A placeholder has
// had its moment.
func (j *job) takeSlot(p Platform, post Post, draft string) error {
	if j.slot || draft != "" {
		j.slot = false
		return nil
	}
	wait := p.Slot(post)
	if wait <= 0 {
		return nil
	}
	j.slot = true
	return &Wait{For: wait, Err: errors.New("others post there before")}
}

// reply is the first page of an answer, and how many there are.
func (d *Desk) reply(p Platform, t ledger.Turn) (Post, int, error) {
	post := d.post(t)
	var err error
	if post.Answer, err = answerOf(t); err != nil {
		return post, 0, err
	}
	return post, p.Pages(post), nil
}

func (d *Desk) page(post Post, page int) Post {
	post.Page, post.Key = page, d.key(post.Turn, page)
	return post
}

// showAgain edits the pages that are up, and takes away those there are no more of.
func (d *Desk) showAgain(ctx context.Context, p Platform, t ledger.Turn, post Post, pages int) error {
	for i, id := range t.Posts {
		var err error
		if i < pages {
			err = p.Edit(ctx, d.page(post, i), id)
		} else {
			err = p.Remove(ctx, d.page(post, i), id)
		}
		if err != nil && Retryable(err) {
			return err
		}
		if err != nil {
			d.cfg.Log.Warn("an answer cannot be edited", slog.String("platform", t.Platform), slog.Any("error", err))
		}
	}
	return nil
}

// Retryable reports whether a platform's error means that trying again makes sense.
func Retryable(err error) bool {
	var w *Wait
	return errors.As(err, &w) || errors.Is(err, ErrUnknown)
}

// send posts one page of a turn in state Posting, and records what became of it.
func (d *Desk) send(ctx context.Context, p Platform, t ledger.Turn, post Post) error {
	draft := ""
	if post.Page == 0 {
		draft = t.Draft
	}
	id, err := p.Send(ctx, post, draft)
	d.reach("posting answered")
	if errors.Is(err, ErrUnknown) && draft == "" {
		return fmt.Errorf("%w; it is looked for before it is posted again", err) // stays in Posting
	}
	if err != nil && !Retryable(err) && draft == "" {
		return d.refused(ctx, t, err)
	}
	_, recordErr := d.record(ctx, t.ID, func(t *ledger.Turn) {
		if err == nil {
			t.Posts = append(t.Posts, id)
		}
		if err == nil || !Retryable(err) { // a placeholder that is gone costs no answer
			t.Draft = ""
		}
		posted(t)
	})
	if err != nil && !Retryable(err) {
		err = nil
	}
	return errors.Join(err, recordErr)
}

// refused ends a turn whose post the platform does not want in any form.
func (d *Desk) refused(ctx context.Context, t ledger.Turn, why error) error {
	d.cfg.Log.Warn("an answer could not be posted", slog.Int64("turn", t.ID), slog.String("platform", t.Platform),
		slog.Any("error", why))
	d.metrics.turns.WithLabelValues(t.Platform, "refused").Inc()
	_, err := d.record(ctx, t.ID, func(t *ledger.Turn) { drop(t, "refused: "+why.Error()) })
	return err
}

// posted is where a turn goes on once it is known what became of a page. Without an
// answer it was edited meanwhile, with a reason it was taken back.
func posted(t *ledger.Turn) {
	t.State = ledger.Answered
	if t.Answer == nil {
		t.State = ledger.Received
	}
	if t.Reason != "" {
		end(t, t.Reason)
	}
}

// findPage finds out whether a page was posted before the process or the connection died.
func (d *Desk) findPage(ctx context.Context, p Platform, t ledger.Turn) error {
	if t.Draft == "" {
		id, err := d.find(ctx, p, t)
		switch {
		case err != nil && !Retryable(err) && ctx.Err() == nil:
			return d.refused(ctx, t, err)
		case err != nil:
			return err
		case id != "":
			t.Posts = append(t.Posts, id)
		}
	}
	posted(&t)
	_, err := d.cfg.Ledger.Update(ctx, t)
	return err
}

// find looks for the page that was being posted; without an answer the question was edited
// meanwhile.
func (d *Desk) find(ctx context.Context, p Platform, t ledger.Turn) (id string, err error) {
	post := d.post(t)
	if t.Answer != nil {
		if post.Answer, err = answerOf(t); err != nil {
			return "", err
		}
	}
	return p.Find(ctx, d.page(post, len(t.Posts)))
}

// shown counts an answer that people can see now.
func (d *Desk) shown(t ledger.Turn, a citations.Answer) {
	d.metrics.turns.WithLabelValues(t.Platform, "posted").Inc()
	if t.Revision > 0 || Via(t.Via) == Handoff || Via(t.Via) == Share {
		return
	}
	d.metrics.seconds.WithLabelValues(t.Platform).Observe(t.Finished.Sub(t.Accepted).Seconds())
	d.metrics.sources.WithLabelValues(t.Platform).Observe(float64(len(a.Sources)))
}
