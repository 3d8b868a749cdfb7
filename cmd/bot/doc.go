// Bot answers questions from a folder of policy documents and shows the passage behind
// every statement. This comment is the tour of the whole program, in the order in which
// things flow through it. A test checks that the packages it names are all there are.
//
// # From a command line to a pipeline
//
// run (main.go) reads the command line; loadConfig (config.go) puts together defaults,
// bot.yaml, environment and flags. This package is the only reader of either, and the
// only one that imports all the others: openPipeline (pipeline.go) plugs them together.
// What the terminal shows is printed in say.go alone.
//
// # From a file to an index
//
//	file ─► scan ─► parse ─► split ─► embed ─► put ─► swap ─► drop what is gone
//
// [citebot/internal/kb] is the library. It scans the documents folder whenever a file
// event or a slow ticker rings its bell, and compares what it finds with its manifest. A
// file that is new or changed goes to [citebot/internal/kb/parse], which turns its bytes
// into a Document of blocks that know their lines. The library splits that at headings
// into passages of some 120 words, each with an ID that survives edits and a hash that
// does not. The folder rule of the configuration, or the document's front matter, gives
// it an audience.
//
// A passage whose hash is new goes into a BM25 index at once. Its vector follows from
// [citebot/internal/kb/embed], the built-in model bge-small-en-v1.5, or from a cache when
// its text has been embedded before. When the new passages are in, the manifest is
// swapped, which is one pointer, and the old ones are dropped. A search holds one manifest
// from beginning to end, so it never sees half of an edit. Vectors are kept in the process,
// or by [citebot/internal/kb/qdrant] in Qdrant, which is compared with the manifest again and
// again. [citebot/internal/kb/kbtest] holds both to one contract, and
// [citebot/internal/kb/qdrant/qdranttest] is a Qdrant that can misbehave.
//
// # From a question to an answer
//
//	question ─► guard ─► search (BM25 ∥ vectors ─► fuse) ─► compose ─► check citations
//
// [citebot/internal/chat] takes one turn of a conversation. It refuses what is no
// question, weighs what was said before beside it, and asks the library for passages that
// the asker's audiences may see. Of those it takes sentences, list items and table rows
// apart, scores them by words and by meaning, and quotes the few that answer. Signals
// from the search become a confidence, and that a verdict: answered, unsure, no answer.
//
// Where [citebot/internal/llm] has a model (author.go), it drafts the answer, and chat keeps
// what the passages that it cites hold; if little does, the quotes stand.
// [citebot/internal/llm/llmtest] is such a server that can misbehave.
// [citebot/internal/citations] is the form that every answer has, parts of text with
// numbered sources, and the proof that each mark holds, of a quote and of a statement in
// other words: what fails it is not shown to anyone.
//
// # From a message to a post
//
//	message ─► accept (durable, once) ─► answer ─► post (once) ─► record
//
// What people write in Slack reaches [citebot/internal/chat/slack], and in Discord
// [citebot/internal/chat/discord], over a socket or as web requests. Each decides what is
// meant for the bot and hands it to the desk of package chat, which writes it to
// [citebot/internal/ledger] before the platform gets its acknowledgement. From then on each
// step is a row in that SQLite file: a crash anywhere loses no question and shows no answer
// twice. [citebot/internal/chat/layout] sets an answer as statements, marks and footnotes
// that fit, which each platform then puts into its own markup; [citebot/internal/chat/surface]
// has what else the platforms need alike. talk.go plugs these together. The tests speak with
// [citebot/internal/chat/slack/slacktest] and [citebot/internal/chat/discord/discordtest].
//
// # Where answers are shown
//
// `bot serve` gives the same pipeline to [citebot/internal/chat/web]: the ask page, the
// source viewer that opens a document at the cited passage, the JSON API, health and
// metrics. site.go translates between it and the library, observe.go counts for all
// surfaces, and `bot health` asks for supervisors, such as those in deploy/. `bot ask` and
// `bot search` use the pipeline in their own process, or ask a daemon on the same state
// folder, which leaves its address in daemon.json there (asker.go).
//
// # How one knows that it works
//
// `bot check` reads documents and configuration and reports what is wrong with them
// (check.go), `bot doctor` tries out what the bot needs, `bot gaps` lists what the documents
// did not answer. `bot eval` measures search and answers on files of questions (eval.go,
// metrics.go, report.go) and lays models beside each other (compare.go). A reviewed file of
// figures in testdata keeps them from falling, scripts in testdata/script run the real
// program, and imports_test.go holds the packages to the rules that keep them apart.
package main
