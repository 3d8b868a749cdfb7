// Package discordtest is a Discord for tests: the REST API, the gateway and signed HTTP
// interactions, over loopback, as the vendor documents them. It knows nothing of our own
// Discord package nor of its client library, so it drives the real program as well as a
// test's own process.
//
// # Begin
//
//	s := discordtest.New(t)                      // closed by t.Cleanup
//	s.AllowLinks = []string{"http://127.0.0.1:8080/s/"}
//	cmd.Env = append(cmd.Env, s.Env()...)        // or s.URL(), s.Token, s.PublicKey()
//	err := s.AwaitReady(ctx, 1)                  // a session has identified
//	act := s.Send(s.Ask(discordtest.Alice, discordtest.General, "How long do refunds take?", false))
//	post, err := s.AwaitReply(ctx, act, func(m discordtest.Message) bool {
//		return strings.Contains(m.Plain(), "14 days")
//	})
//	s.Send(s.Click(discordtest.Bob, post, "Not right")) // by label or beginning of custom_id; the bot opens a modal …
//	err = s.Await(ctx, func(st *discordtest.State) bool { _, open := st.Modal(discordtest.Bob); return open })
//	s.Send(s.Submit(discordtest.Bob, map[string]string{"comment": "out of date"}))
//
// The fields of [Server] are configuration: set them before the first request. Every method
// may be called from any goroutine.
//
// # People
//
// What a person does is a method that changes what is shown (their message is in the
// channel) and returns an [Act]: the events that Discord would make of it, not sent yet. Send
// delivers an act to the sessions of the gateway whose shard and intents want it, or over
// HTTP where [Server.HTTP] is set and it is an interaction; SendEvents delivers some of its
// events, or one of them again; Deliver posts one event over HTTP and spoils it as a [Spoil]
// says. As on Discord, a session that is not connected gets an event when it resumes, and
// nobody gets it where there is no session: a message is then in the channel, to be read
// over REST, and an interaction has failed.
//
// An interaction wants its callback within CallbackWindow of its delivery; Expire ages its
// token by 15 minutes, after which Discord answers 401 with code 50027, which says nothing
// about the bot's own token.
//
// # What is shown
//
// [State] is what people see: Messages, Posts (the bot's), Ephemerals, Modal, Typing,
// Commands, Interaction. The methods of the same names on Server read it at one moment; Await
// waits until a condition on it holds, and its error prints what is shown instead. A deferral
// is a message too, with Deferred set, until it is edited; AwaitPost, AwaitEphemeral and
// AwaitReply pass over it. State.Failed lists the interactions of which people were told that
// the application did not respond. Message.Plain is what a person reads, Links where it leads,
// Formats what of its markup takes effect, Pinged whom it calls.
//
// # Faults
//
// Fail makes the next n requests of a route ([CreateMessage], …) go wrong as a [Fault] says,
// such as [Lost], [RateLimited] or [Banned]. Block and BlockAfter stop a request before or
// after it took effect until its [Gate] is released, so that a test can kill the bot in
// between. The route [Connect] is the opening of a gateway connection. [Server.Misbehave] says
// what the next connections do wrong before they are ready: no HELLO, Op 7 instead of READY,
// Op 9, garbage; a live one ([Conn], from Conns) can be told to Reconnect, to invalidate its
// session, to Close with a code, to Reset, or to be deaf. Fields of [Channel] take
// permissions away.
//
// # Rules
//
// Each request is held against the vendor's schema, the vendor's limits and our own rules when
// it arrives, also one that is made to fail. Violations lists what was broken; Close reports
// it to the test unless Tolerate is set. What Discord would refuse is refused with its error
// code as well. TooFast lists posts beyond five in five seconds in a channel, and identifies
// beyond one in five seconds. The schema is ../shared/discord-openapi.json beside the module;
// where it is absent that check is skipped.
//
// With Forget the fake keeps counts, latencies and the newest messages only, so that it stays
// small over any number of events; Tally then still says how many answers each question got.
package discordtest
