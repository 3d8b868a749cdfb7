package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"citebot/internal/chat"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"
)

// A tab is one page in a real browser; its steps fail the test.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func openBrowser(t *testing.T, extra ...chromedp.ExecAllocatorOption) tab {
	t.Helper()
	options := slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(findChromium(t)),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
	}, extra)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	ctx, closeBrowser := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(closeBrowser)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	return tab{t, ctx}
}

func findChromium(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes its time: run without -short to test the pages in one")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium found: install chromium to test the pages in a browser")
	return ""
}

func (b tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// eval returns what an expression in the page is.
func eval[T any](b tab, script string) T {
	b.t.Helper()
	result, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script))
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return result
}

// until waits for an expression to become true.
func (b tab) until(script string) {
	b.t.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Poll[bool]("Boolean("+script+")", chromedp.WithPollingTimeout(20*time.Second))); err != nil {
		b.t.Fatalf("waiting for %s: %v", script, err)
	}
}

func (b tab) view(width, height int64, scheme string) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme},
		{Name: "prefers-reduced-motion", Value: "reduce"},
	}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		b.t.Fatal(err)
	}
}

func (b tab) typeQuestion(text string) {
	b.t.Helper()
	turns := eval[int](b, `document.querySelectorAll(".turn").length`)
	b.do(chromedp.SendKeys(chromedp.CSS("#question"), text))
	b.press("Enter", 13)
	b.until(fmt.Sprintf(`document.querySelectorAll(".turn:not(.waiting)").length === %d && document.activeElement.id === "question"`, turns+1))
}

// press presses a key as a keyboard does: its text is typed only if the page lets the key
// through, which chromedp.KeyEvent does not care about.
func (b tab) press(key string, code int64) {
	b.t.Helper()
	text := map[string]string{"Enter": "\r"}[key]
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
		event := input.DispatchKeyEventParams{Type: kind, Key: key, Code: key, Text: text, WindowsVirtualKeyCode: code}
		if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, event); err != nil {
			b.t.Fatal(err)
		}
		text = ""
	}
}

// shoot keeps a picture of the page for people: `go test -artifacts` says where.
func (b tab) shoot(name string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	file := filepath.Join(b.t.ArtifactDir(), name+".png")
	if err := os.WriteFile(file, png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b tab) fitsItsWidth(what string) {
	b.t.Helper()
	if over := eval[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
		b.t.Errorf("%s: the page is %d pixels wider than the window", what, over)
	}
}

func startShop(t *testing.T) (*shop, string) {
	t.Helper()
	s := newShop()
	srv := httptest.NewServer(newTestServer(t, s.config()))
	t.Cleanup(srv.Close)
	return s, srv.URL
}

func TestAskByKeyboard(t *testing.T) {
	b := openBrowser(t)
	s, address := startShop(t)
	b.view(1280, 900, "light")
	b.do(chromedp.Navigate(address), chromedp.WaitVisible(chromedp.CSS("#question")))
	b.shoot("empty")

	b.typeQuestion("How long do I have to return something?")
	b.until(`document.querySelectorAll(".card blockquote").length === 2 && document.querySelector(".card blockquote").childNodes.length > 1`)
	b.shoot("answered")
	if broken := eval[[]string](b, `[...document.querySelectorAll(".mark, .number")].map((a) => a.hash).filter((hash) => !document.querySelector(hash))`); len(broken) > 0 {
		t.Errorf("marks that lead nowhere: %v", broken)
	}
	b.do(chromedp.Focus(chromedp.CSS(".mark")))
	if lit := eval[string](b, `document.querySelector(".card.lit")?.id ?? ""`); lit != "t1-s1" {
		t.Errorf("focus on the first mark lights %q", lit)
	}
	b.do(chromedp.KeyEvent(kb.Escape), chromedp.KeyEvent("x"))
	if text := eval[string](b, `document.querySelector("#question").value`); text != "x" {
		t.Errorf("after Escape the box holds %q", text)
	}
	b.do(chromedp.KeyEvent(kb.Backspace))

	b.typeQuestion("What does delivery cost?")
	b.shoot("follow-up")
	asked := s.questions()
	want := []chat.Turn{
		{Role: "user", Text: "How long do I have to return something?"},
		{Role: "assistant", Text: s.answers["How long do I have to return something?"].Text},
	}
	if diff := cmp.Diff(want, asked[len(asked)-1].History); diff != "" {
		t.Errorf("history of the follow-up (-want +got):\n%s", diff)
	}
}

// The pages people meet, looked at in both schemes and on the narrowest phone.
func TestPagesFitEveryWindow(t *testing.T) {
	b := openBrowser(t)
	_, address := startShop(t)
	questions := map[string]string{
		"answered":  "How long do I have to return something?",
		"table":     "What does delivery cost?",
		"unsure":    "Is express delivery refunded when I change my mind?",
		"no-answer": "Can I bring my dog to the office?",
	}
	pages := map[string]string{
		"empty":          "/",
		"viewer":         "/s/" + hashReturns + "?quote=" + url.QueryEscape("Bring or send them back in their original packaging") + "#cited",
		"viewer-table":   "/s/" + hashGone + "#cited",
		"viewer-changed": "/s/" + hashOld + "#cited",
		"not-found":      "/s/0000000000000000",
	}
	windows := []struct {
		name          string
		width, height int64
		scheme        string
	}{{"light", 1280, 900, "light"}, {"dark", 1280, 900, "dark"}, {"phone", 360, 740, "light"}, {"narrow", 320, 568, "dark"}}
	for _, w := range windows {
		b.view(w.width, w.height, w.scheme)
		for name, path := range pages {
			b.do(chromedp.Evaluate[chromedp.Void](`try { sessionStorage.clear() } catch {}`), chromedp.Navigate(address+path))
			b.fitsItsWidth(w.name + " " + name)
			b.shoot(w.name + "-" + name)
		}
		for name, question := range questions {
			b.do(chromedp.Navigate(address))
			b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#new").click()`))
			b.typeQuestion(question)
			b.until(`[...document.querySelectorAll(".card blockquote")].every((quote) => quote.childNodes.length > 1)`)
			b.fitsItsWidth(w.name + " " + name)
			b.shoot(w.name + "-" + name)
		}
	}
}

// The answer is laid out twice, by the template for people without script and by the
// script. Both must come to the same elements.
func TestScriptRendersLikeTemplate(t *testing.T) {
	b := openBrowser(t)
	s, address := startShop(t)
	for question := range s.answers {
		b.do(chromedp.Navigate(address), chromedp.Evaluate[chromedp.Void](`document.querySelector("#new").click()`))
		b.typeQuestion(question)
		b.until(`[...document.querySelectorAll(".card blockquote")].every((quote) => quote.childNodes.length > 1)`)
		script := eval[string](b, outline)
		body := url.Values{"question": {question}}.Encode()
		resp, err := http.Post(address+"/", "application/x-www-form-urlencoded", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		quoted, _ := json.Marshal(string(page))
		b.do(chromedp.Evaluate[chromedp.Void](`document.replaceChild(document.adoptNode(new DOMParser().parseFromString(` + string(quoted) + `, "text/html").documentElement), document.documentElement)`))
		if diff := cmp.Diff(eval[string](b, outline), script); diff != "" {
			t.Errorf("%s (-template +script):\n%s", question, diff)
		}
	}
}

// outline is the turn on a page as lines of elements, attributes and text. Turn numbers
// differ and the light of the focused card does not count.
const outline = `(() => {
	const lines = [];
	const walk = (node, depth) => {
		const text = node.nodeType === 3 ? node.data.replace(/\s+/g, " ") : "";
		if (text.trim()) lines.push(" ".repeat(depth) + text.trim());
		if (node.nodeType !== 1) return;
		const attributes = [...node.attributes].map((a) => a.name + "=" + a.value.replace(/\bt\d+-/g, "t-").replace(/^t\d+$/, "t").replace(" lit", "")).sort();
		lines.push(" ".repeat(depth) + "<" + [node.localName, ...attributes].join(" ") + ">");
		for (const child of node.childNodes) walk(child, depth + 1);
	};
	walk(document.querySelector(".turn"), 0);
	return lines.join("\n");
})()`

func TestStopReloadAndStartAnew(t *testing.T) {
	b := openBrowser(t)
	_, address := startShop(t)
	b.do(chromedp.Navigate(address), chromedp.SendKeys(chromedp.CSS("#question"), "wait"))
	b.press("Enter", 13)
	b.until(`document.querySelector(".progress")?.textContent === "Searching the documents…"`)
	b.press("Escape", 27)
	b.until(`!document.querySelector(".turn") && document.querySelector("#question").value === "wait"`)
	if told := eval[string](b, `document.querySelector("#problem").textContent`); !strings.HasPrefix(told, "Stopped.") {
		t.Errorf("after stopping the page says %q", told)
	}
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#question").value = ""`))
	b.typeQuestion("busy after all, answered from the fixture")
	b.do(chromedp.Reload())
	b.until(`document.querySelectorAll(".turn").length === 1`)
	b.do(chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`), chromedp.KeyEvent("/"))
	if focused := eval[string](b, `document.activeElement.id`); focused != "question" {
		t.Errorf("the slash focuses %q", focused)
	}
	b.do(chromedp.Click(chromedp.CSS("#new")), chromedp.Reload())
	if turns := eval[int](b, `document.querySelectorAll(".turn").length`); turns != 0 {
		t.Errorf("a new conversation has %d turns after a reload", turns)
	}
}

func TestTroubleKeepsTheQuestion(t *testing.T) {
	b := openBrowser(t)
	_, address := startShop(t)
	for question, says := range map[string]string{"busy": textBusy, "broken late": textBroken} {
		b.do(chromedp.Navigate(address), chromedp.SendKeys(chromedp.CSS("#question"), question))
		b.press("Enter", 13)
		b.until(`document.querySelector("#problem").textContent !== ""`)
		want := []string{question, says}
		if diff := cmp.Diff(want, eval[[]string](b, `[document.querySelector("#question").value, document.querySelector("#problem").textContent]`)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", question, diff)
		}
	}
}

func TestHostileAnswersInTheBrowser(t *testing.T) {
	b := openBrowser(t)
	for _, probe := range probes {
		srv := httptest.NewServer(newTestServer(t, hostile(probe).config()))
		t.Cleanup(srv.Close)
		question, err := json.Marshal(probe)
		if err != nil {
			t.Fatal(err)
		}
		b.do(chromedp.Navigate(srv.URL), chromedp.Evaluate[chromedp.Void](`{
			window.alert = () => { window.executed = true };
			document.querySelector("#question").value = `+string(question)+`;
			document.querySelector("#ask").requestSubmit();
		}`))
		b.until(`document.querySelectorAll(".card").length === 1 && document.querySelector(".documents li")`)
		bad := eval[[]string](b, `[...document.querySelectorAll("main *, aside *")].filter((node) =>
			["SCRIPT", "IMG", "IFRAME", "BASE"].includes(node.tagName) ||
			[...node.attributes].some((a) => a.name.startsWith("on")) ||
			/^(javascript|data):/i.test((node.getAttribute("href") ?? "").replace(/\s/g, ""))).map((node) => node.outerHTML)`)
		if len(bad) > 0 || eval[bool](b, `Boolean(window.executed)`) {
			t.Errorf("%q takes effect: %v", probe, bad)
		}
	}
}

// Over plain http a browser tells less of where a form comes from; signing in, asking
// without script and following a source must work all the same.
func TestSignInOverPlainHTTP(t *testing.T) {
	b := openBrowser(t, chromedp.Flag("host-resolver-rules", "MAP bot.test 127.0.0.1"))
	srv := httptest.NewUnstartedServer(nil)
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	cfg := newShop().config()
	cfg.Addr, cfg.PublicURL, cfg.Token = "0.0.0.0:"+port, "http://bot.test:"+port, testToken
	s := newTestServer(t, cfg)
	srv.Config.Handler = s
	srv.Start()
	t.Cleanup(srv.Close)

	b.view(1280, 900, "light")
	b.do(chromedp.Navigate(cfg.PublicURL + "/s/" + hashReturns))
	b.shoot("sign-in")
	b.do(chromedp.SendKeys(chromedp.CSS("#token"), testToken))
	b.press("Enter", 13)
	b.do(chromedp.WaitVisible(chromedp.CSS("#cited")), chromedp.Navigate(cfg.PublicURL))
	b.do(chromedp.Evaluate[chromedp.Void](`{
		document.querySelector("#question").value = "What does delivery cost?";
		document.querySelector("#ask").submit(); // past the script's listener
	}`))
	b.do(chromedp.WaitVisible(chromedp.CSS("#t0 tr")))
	b.shoot("without-script")
	b.do(chromedp.Navigate(s.SourceURL(hashOld)), chromedp.Click(chromedp.CSS(".notice a")))
	b.do(chromedp.WaitNotPresent(chromedp.CSS(".notice")), chromedp.WaitVisible(chromedp.CSS("#cited")))
}
