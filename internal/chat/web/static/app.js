// The ask page: sends questions without leaving the page, shows how far the answer is, and
// keeps the conversation for follow-up questions until the tab closes.
//
// Everything that comes from outside becomes a text node or an attribute of our own making.
// Nothing here parses HTML.
"use strict";

(() => {
  const find = (id) => document.getElementById(id);
  const box = find("question"), form = find("ask"), thread = find("thread");
  const send = find("send"), problem = find("problem"), fresh = find("new");

  const kept = "citebot.conversation"; // sessionStorage: this tab only
  const stages = {
    searching: "Searching the documents…",
    reading: "Reading what was found…",
    writing: "Writing the answer…",
    checking: "Checking citations…",
  };

  let turns = []; // {question, answer}, oldest first
  let running = null; // the AbortController of the question being answered

  // el makes an element. Empty attributes and children are left out.
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== undefined && value !== "") node.setAttribute(name, value);
    }
    node.append(...children.flat().filter((child) => child !== undefined && child !== ""));
    return node;
  }

  // ── An answer as elements: what templates/ask.html makes of it on the server ──

  function showTurn(id, question, answer) {
    const titles = new Map(answer.sources.map((source) => [source.n, source.title]));
    const article = el("article", { class: `turn ${answer.verdict}`, id, "aria-labelledby": `${id}-q` },
      el("h2", { id: `${id}-q` }, question),
      showNotice(answer),
      showParts(id, answer.parts, titles),
      answer.sources.length ? el("section", { class: "sources" }, el("h3", {}, "Sources"),
        el("ol", {}, answer.sources.map((source) => showCard(id, source)))) : "",
      showNearest(answer.nearest ?? []),
      answer.verdict === "no_answer" ? el("p", { class: "hint" }, "If it matters, ask a person who looks after these documents.") : "",
      el("p", { class: "fine footer" }, footer(answer)));
    return article;
  }

  function showNotice(answer) {
    const label = { unsure: "Not certain.", no_answer: "Not in the documents." }[answer.verdict];
    if (!label && !answer.notice) return "";
    return el("p", { class: "notice" }, label ? el("strong", {}, label) : "", label ? " " : "", answer.notice ?? "");
  }

  const groupKind = (kind) => ({ item: "list", header: "table", row: "table" })[kind] ?? "text";

  function showParts(id, parts, titles) {
    const groups = [];
    for (const part of parts) {
      const kind = groupKind(part.kind);
      if (groups.at(-1)?.kind !== kind || part.kind === "header") groups.push({ kind, parts: [] });
      groups.at(-1).parts.push(part);
    }
    const marked = new Set();
    const marks = (part) => showMarks(id, part.sources, titles, marked);
    const show = {
      text: (group) => el("p", {}, group.parts.flatMap((part, i) => [i ? " " : "", part.text, marks(part)])),
      list: (group) => el("ul", {}, group.parts.map((part) => el("li", {}, part.text, marks(part)))),
      table: (group) => el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Table" },
        el("table", {}, el("tbody", {}, group.parts.map((part) => showRow(part, marks))))),
    };
    return groups.map((group) => show[group.kind](group));
  }

  function showRow(part, marks) {
    const cells = part.text.split(" | ");
    if (part.kind === "header") return el("tr", {}, cells.map((cell) => el("th", { scope: "col" }, cell)), el("td", {}));
    return el("tr", {}, cells.map((cell) => el("td", {}, cell)), el("td", { class: "cites" }, marks(part)));
  }

  function showMarks(id, numbers, titles, marked) {
    if (!numbers?.length) return "";
    return el("span", { class: "marks" }, numbers.map((n) => {
      const first = !marked.has(n);
      marked.add(n);
      return el("a", { class: "mark", href: `#${id}-s${n}`, id: first ? `${id}-m${n}` : "", "aria-label": `Source ${n}: ${titles.get(n) ?? ""}` }, `[${n}]`);
    }));
  }

  function showNearest(nearest) {
    if (!nearest.length) return "";
    return el("section", { class: "closest" }, el("h3", {}, "Closest documents"), el("ul", {}, nearest.map((doc) => {
      const title = doc.title || doc.path;
      return el("li", {}, isWeb(doc.url) ? el("a", { href: doc.url }, title) : title, showSection("span", "fine", doc));
    })));
  }

  // showSection says where in its document something stands, without its title again.
  function showSection(tag, className, { title, section = "" }) {
    const rest = section.startsWith(title) ? section.slice(title.length).replace(/^ › /, "") : section;
    return rest ? el(tag, { class: className }, rest) : "";
  }

  function showCard(id, source) {
    const address = `s/${encodeURIComponent(source.hash)}?${new URLSearchParams({ quote: source.quote })}`;
    const quote = el("blockquote", {}, el("mark", { class: "quote" }, source.quote));
    showContext(quote, address);
    return el("li", { class: "card", id: `${id}-s${source.n}`, tabindex: "-1" },
      el("a", { class: "number", href: `#${id}-m${source.n}`, "aria-label": `Back to where source ${source.n} is used` }, String(source.n)),
      el("div", {},
        el("h4", {}, el("a", { href: `${address}#cited` }, source.title || source.path)),
        showSection("p", "section", source),
        quote,
        el("p", { class: "fine" }, fine(source))));
  }

  // showContext puts the passage around a quote. Without it the quote stands alone.
  async function showContext(quote, address) {
    try {
      const response = await fetch(address, { headers: { Accept: "application/json" } });
      const { excerpt } = response.ok ? await response.json() : {};
      if (!excerpt) return;
      quote.replaceChildren(...excerpt.map((piece) => piece.quoted ? el("mark", { class: "quote" }, piece.text) : piece.text));
    } catch {
      // The network is gone; the quote is there.
    }
  }

  const partNames = { vectors: "search by meaning", bm25: "search by words", llm: "the model that writes answers" };

  function footer(answer) {
    const parts = (answer.degraded ?? []).map((part) => partNames[part] ?? part);
    const without = parts.length ? `, without ${parts.join(" and ")}` : "";
    return `Answered in ${(answer.took_ms / 1000).toFixed(1)} s${without}`;
  }

  function fine(source) {
    const lines = lineRange(source.path, source.lines);
    return source.path + (lines && `, ${lines}`) + (source.updated ? ` · updated ${date(source.updated)}` : "");
  }

  function lineRange(path, [first, last]) {
    const unit = path.toLowerCase().endsWith(".pdf") ? "page" : "line";
    if (first <= 0) return "";
    return last > first ? `${unit}s ${first}–${last}` : `${unit} ${first}`;
  }

  // date sets YYYY-MM-DD as the server does, whatever the browser's language.
  function date(text) {
    const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)/.exec(text) ?? [];
    const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    return year && months[month - 1] ? `${Number(day)} ${months[month - 1]} ${year}` : text;
  }

  function isWeb(address) {
    try {
      return ["http:", "https:"].includes(new URL(address).protocol);
    } catch {
      return false;
    }
  }

  // ── Asking ──

  async function ask(question) {
    if (running) return;
    running = new AbortController();
    tell("");
    const progress = el("p", { class: "progress", role: "status" }, "Sending…");
    const proven = el("p", {}); // statements that passed their check before the whole answer is there
    const waiting = el("article", { class: "turn waiting" }, el("h2", {}, question), proven, progress);
    thread.append(waiting);
    setTalking(true);
    box.value = "";
    grow();
    waiting.scrollIntoView({ block: "start" });
    try {
      const answer = await request(question, ({ stage, statement }) => {
        progress.replaceChildren(stages[stage] ?? "Working…");
        if (statement) proven.append(`${statement} `);
      });
      const article = showTurn(`t${turns.length + 1}`, question, answer);
      waiting.replaceWith(article);
      turns.push({ question, answer });
      keep();
      speak(answer);
      article.scrollIntoView({ block: "start" });
    } catch (error) {
      waiting.remove();
      box.value ||= question;
      grow();
      tell(error.name === "AbortError" ? "Stopped. Your question is still here." : error.message);
      setTalking(thread.childElementCount > 0);
    } finally {
      running = null;
      setTalking(thread.childElementCount > 0);
      box.focus({ preventScroll: true });
    }
  }

  // request returns the answer, or throws an Error whose message people can read.
  async function request(question, onProgress) {
    const response = await fetch("api/ask", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
      body: JSON.stringify({ question, history: history() }),
      signal: running.signal,
    }).catch((error) => {
      throw error.name === "AbortError" ? error : new Error("The bot cannot be reached. Please check your connection and try again.");
    });
    if (response.status === 401) throw new Error("You are signed out. Reload this page to sign in again.");
    if (!response.ok) throw new Error((await response.json().catch(() => ({}))).error ?? "Something went wrong. Please try again.");
    for await (const { event, data } of events(response.body)) {
      if (event === "progress") onProgress(data);
      if (event === "answer") return data;
      if (event === "error") throw new Error(data.error);
    }
    throw new Error("The answer broke off. Please try again.");
  }

  async function* events(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const [, event, data] = /^event: (.*)\ndata: (.*)$/.exec(block) ?? [];
        if (event) yield { event, data: JSON.parse(data) };
      }
    }
  }

  // history is what was said before, as the API takes it: the last turns are enough to
  // understand a follow-up.
  function history() {
    return turns.slice(-6).flatMap(({ question, answer }) => [
      { role: "user", text: question },
      { role: "assistant", text: answer.answer || answer.notice || "" },
    ]);
  }

  // ── The page around it ──

  function setTalking(talking) {
    document.body.classList.toggle("talking", talking);
    fresh.hidden = !talking;
    send.textContent = running ? "Stop" : "Ask";
    form.setAttribute("aria-busy", String(Boolean(running)));
  }

  function tell(text) {
    problem.replaceChildren(text);
    if (text) box.setAttribute("aria-invalid", "true");
    else box.removeAttribute("aria-invalid");
  }

  function speak(answer) {
    const sources = answer.sources.length === 1 ? "1 source" : `${answer.sources.length} sources`;
    find("spoken").replaceChildren(`${answer.notice ?? ""} ${answer.answer} ${sources}.`);
  }

  function keep() {
    try {
      sessionStorage.setItem(kept, JSON.stringify(turns));
    } catch {
      // Storage is full or forbidden: the conversation lasts as long as the page.
    }
  }

  function restore() {
    try {
      for (const { question, answer } of JSON.parse(sessionStorage.getItem(kept) ?? "[]")) {
        thread.append(showTurn(`t${turns.length + 1}`, question, answer));
        turns.push({ question, answer });
      }
    } catch {
      sessionStorage.removeItem(kept); // from another version of the page
    }
    setTalking(thread.childElementCount > 0);
  }

  function startAnew() {
    running?.abort();
    turns = [];
    keep();
    thread.replaceChildren();
    window.history.replaceState(null, "", window.location.pathname);
    tell("");
    setTalking(false);
    box.focus();
  }

  // grow makes the box as high as its text where the browser does not do so itself.
  function grow() {
    if (CSS.supports("field-sizing", "content")) return;
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight}px`;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (running) {
      running.abort();
      return;
    }
    const question = (event.submitter?.value || box.value).trim();
    if (question) ask(question);
    else tell("Please write a question first.");
  });

  box.addEventListener("input", grow);
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!running) form.requestSubmit();
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("input, textarea, select");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      box.focus();
    }
    if (event.key === "Escape") {
      if (running) running.abort();
      else if (typing) box.blur();
      else box.focus();
    }
  });

  fresh.addEventListener("click", startAnew);

  // A mark and its card light up together, whichever of them is pointed at or focused.
  function light(event) {
    for (const lit of thread.querySelectorAll(".lit")) lit.classList.remove("lit");
    const at = event.target.closest?.(".mark, .card");
    if (!at || !thread.contains(at)) return;
    const id = at.matches(".card") ? at.id : at.hash.slice(1);
    find(id)?.classList.add("lit");
    for (const mark of thread.querySelectorAll(`.mark[href="#${CSS.escape(id)}"]`)) mark.classList.add("lit");
  }
  document.addEventListener("mouseover", light);
  document.addEventListener("focusin", light);

  // ── Watching the documents ──

  let shown = ""; // the list as it was last drawn

  async function watch() {
    let again = 15_000;
    if (!document.hidden) {
      try {
        const ready = await (await fetch("readyz")).json();
        const summary = find("summary");
        if (summary.textContent !== (ready.summary ?? "")) summary.replaceChildren(ready.summary ?? "");
        if (ready.summary) again = 2_000;
        await listDocuments();
      } catch {
        // The next round will tell; a failing question says so itself.
      }
    }
    setTimeout(watch, again);
  }

  async function listDocuments() {
    const address = `api/documents?audience=${encodeURIComponent(document.body.dataset.audience)}`;
    const response = await fetch(address, { cache: "no-cache" });
    const text = response.ok ? await response.text() : shown;
    if (text === shown) return;
    shown = text;
    const docs = JSON.parse(text), listed = docs.slice(0, 200);
    find("documents").replaceChildren(...listed.map(showDocument));
    find("count").replaceChildren(String(docs.length));
    find("more").replaceChildren(docs.length > listed.length ? `and ${docs.length - listed.length} more` : "");
  }

  function showDocument(doc) {
    return el("li", { class: doc.state }, el("span", { class: "name" }, doc.title || doc.path), el("span", { class: "fine" }, stateOf(doc)));
  }

  function stateOf(doc) {
    if (doc.state === "pending") return "Being prepared";
    if (doc.state !== "failed") return `Updated ${date(doc.updated)}`;
    return `${doc.path}: ${doc.problem || "could not be read"}${doc.passages ? " – an earlier version still answers" : ""}`;
  }

  restore();
  if (matchMedia("(max-width: 64rem)").matches) find("shelf").open = false;
  watch();
})();
