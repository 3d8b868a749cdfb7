// Package slacktest is a Slack for tests: the Web API, Socket Mode, response URLs and
// signed HTTP deliveries, over loopback, as the vendor documents them. It knows nothing of
// our own Slack package, so it drives the real program as well as a test's own process.
//
// # Begin
//
//	s := slacktest.New(t)                        // closed by t.Cleanup
//	s.AllowLinks = []string{"http://127.0.0.1:8080/s/"}
//	cmd.Env = append(cmd.Env, s.Env()...)        // or s.APIURL(), s.BotToken, s.AppToken
//	act := s.Send(s.Mention(slacktest.Alice, slacktest.General, "How long do refunds take?"))
//	post, err := s.AwaitPost(ctx, act.Channel, act.Thread, func(m slacktest.Message) bool {
//		return strings.Contains(m.Plain(), "14 days")
//	})
//	s.Send(s.ThumbsDown(slacktest.Bob, post))    // a click; the bot opens a modal …
//	err = s.Await(ctx, func(st *slacktest.State) bool { _, open := st.Modal(slacktest.Bob); return open })
//	s.Send(s.Submit(slacktest.Bob, map[string]string{"comment": "out of date"}))
//
// The fields of [Server] are configuration: set them before the first request. Every method
// may be called from any goroutine.
//
// # People
//
// What a person does is a method that changes what is shown (their message is in the
// channel) and returns an [Act]: the events that Slack would make of it, not sent yet. Send
// delivers an act over a socket, or over HTTP where [Server.HTTP] is set; SendEvents delivers
// some of its events, or one of them again; Deliver posts one event over HTTP and spoils it as
// a [Spoil] says. An event that finds no connection waits for the next one; one that is not
// acknowledged comes again by Redeliver, or by itself after RedeliverAfter.
//
// # What is shown
//
// [State] is what people see: Messages, Posts (the bot's), Ephemerals, Status, Home, Modal,
// Prompts. The methods of the same names on Server read it at one moment; Await waits until
// a condition on it holds, and its error prints what is shown instead. Edits and streams are
// applied to the message they belong to; a message's History keeps what it showed before.
//
// # Faults
//
// Fail makes the next n calls of a method go wrong as a [Fault] says, such as [Lost]. Block
// and BlockAfter stop a call before or after it took effect until its [Gate] is released, so
// that a test can kill the bot in between. The name [ResponseURL] stands for posts to a
// response URL. A connection ([Conn], from Conns) can be told to go, reset, or left open and
// deaf; RefuseConnections turns the next ones away; Revoke makes the tokens worthless.
//
// # Rules
//
// Each request is held against the vendor's rules and ours when it arrives, also one that is
// made to fail. Violations lists what was broken, AckProblems what was wrong with
// acknowledgements; Close reports both to the test unless Tolerate is set. What Slack would
// refuse is refused with its error code as well. TooFast lists posts beyond one a second in a
// channel. ScopesUsed is what the manifest must grant, if Events was set to what the manifest
// subscribes to.
//
// With Forget the fake keeps counts, latencies and the newest messages only, so that it stays
// small over any number of events; Tally then still says how many posts each thread got.
package slacktest
