package qdrant

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
)

// A Finding is what an examination found out about one thing.
type Finding struct {
	What   string
	State  string // one of the States
	Detail string // how it is
	Remedy string // what to do; "" where nothing is to be done
}

// The states of a finding.
const (
	StateOK      = "ok"
	StateWarn    = "warn"    // the bot works, but not all is as it should be
	StateProblem = "problem" // vectors do not take part before someone has done what Remedy says
)

// What the findings are about.
const (
	whatServer     = "Qdrant server"
	whatKey        = "Qdrant key"
	whatCollection = "Qdrant collection"
	whatWriter     = "Qdrant writer"
)

// examineWithin is how long an examination takes at most. Each call has its own deadline, too.
const examineWithin = 5 * time.Second

// An examiner collects findings.
type examiner struct {
	*Store
	found []Finding
}

// Examine tells how the server and the collection are, and what is to be done before the bot
// can use them. It changes nothing there, and takes no lease. What it finds never holds the
// key. A Config's Registry and Log are not needed.
func Examine(ctx context.Context, cfg Config) []Finding {
	ctx, cancel := context.WithTimeout(ctx, examineWithin)
	defer cancel()
	cfg.Registry, cfg.Log = nil, nil
	s, err := Open(cfg)
	if err != nil {
		x := examiner{Store: &Store{}}
		x.failed(whatServer, err)
		return x.found
	}
	x := examiner{Store: s}
	x.examine(ctx)
	if err := s.Close(); err != nil {
		x.failed(whatServer, err)
	}
	for i := range x.found {
		x.found[i].Detail = withoutKey(x.found[i].Detail, cfg.APIKey)
		x.found[i].Remedy = withoutKey(x.found[i].Remedy, cfg.APIKey)
	}
	return x.found
}

// examine stops where nothing more can be asked.
func (x *examiner) examine(ctx context.Context) {
	x.secrecy()
	if !x.server(ctx) {
		return
	}
	names, ok := x.key(ctx)
	if !ok {
		return
	}
	used, ok := x.collectionInUse(ctx)
	if ok {
		x.writer(ctx, used)
	}
	x.leftOver(ctx, names)
}

func (x *examiner) ok(what, format string, args ...any) {
	x.found = append(x.found, Finding{what, StateOK, fmt.Sprintf(format, args...), ""})
}

func (x *examiner) bad(what, state, detail, remedy string) {
	x.found = append(x.found, Finding{what, state, detail, remedy})
}

// failed notes an error. Ours say what to do behind a semicolon.
func (x *examiner) failed(what string, err error) {
	text := strings.Replace(err.Error(), "Qdrant at "+x.address+": ", x.address+": ", 1)
	detail, remedy, _ := strings.Cut(text, "; ")
	x.bad(what, StateProblem, detail, cmp.Or(remedy, "see Qdrant's log"))
}

// clientVersion is the version of Qdrant that the client library was made for. Its own check,
// to which no deadline can be given, is content with one minor version more or less. See
// https://qdrant.tech/documentation/upgrades/.
var clientVersion = [2]int{1, 17}

// server asks for the version, which needs no key.
func (x *examiner) server(ctx context.Context) bool {
	if err := x.checkVersion(ctx); err != nil {
		x.failed(whatServer, err)
		return false
	}
	if isFar(x.version) {
		major, minor := clientVersion[0], clientVersion[1]
		x.bad(whatServer, StateWarn, fmt.Sprintf("version %s at %s; this bot was made for %d.%d to %d.%d", x.version, x.address, major, minor-1, major, minor+1),
			"use one of these, or a newer bot, should anything not work")
		return true
	}
	x.ok(whatServer, "version %s at %s", x.version, x.address)
	return true
}

// isFar says whether a version is more than a minor one away from the client's; not what is no
// version.
func isFar(version string) bool {
	is, ok := minorOf(version)
	return ok && (is[0] != clientVersion[0] || max(is[1], clientVersion[1])-min(is[1], clientVersion[1]) > 1)
}

// minorOf is 1.17 of 1.17.4; not ok for what is no version.
func minorOf(version string) (is [2]int, ok bool) {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return is, false
	}
	var err1, err2 error
	is[0], err1 = strconv.Atoi(parts[0])
	is[1], err2 = strconv.Atoi(parts[1])
	return is, err1 == nil && err2 == nil
}

// secrecy tells of a key that everyone on the way can read.
func (x *examiner) secrecy() {
	if host, _, secure, err := splitURL(x.cfg.URL); err == nil && x.cfg.APIKey != "" && !secure && !isLoopback(host) {
		x.bad(whatKey, StateWarn, "QDRANT_API_KEY goes unencrypted over the network to "+host,
			"switch on TLS in Qdrant (service.enable_tls) and write https:// in QDRANT_URL, or keep both in one private network")
	}
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// key lists the collections, for which a key is needed where the server has one. That a key
// may write shows only when it does, unless it says so itself.
func (x *examiner) key(ctx context.Context) (names []string, ok bool) {
	err := x.call(ctx, "list", x.times.ask, func(ctx context.Context) (err error) {
		names, err = x.client.ListCollections(ctx)
		return err
	})
	refused := isCode(err, codes.Unauthenticated) || isCode(err, codes.PermissionDenied)
	switch {
	case refused && x.cfg.APIKey == "":
		x.bad(whatKey, StateProblem, x.address+": it wants a key, and QDRANT_API_KEY is not set", "set QDRANT_API_KEY, or QDRANT_API_KEY_FILE, to one that may write collections")
	case refused:
		x.failed(whatKey, err)
	case err != nil:
		x.failed(whatServer, err)
	case readsOnly(x.cfg.APIKey):
		x.bad(whatKey, StateWarn, "QDRANT_API_KEY may read and not write: this bot finds what another one has stored", "set a key with manage access, unless that is meant")
	case x.cfg.APIKey == "":
		x.ok(whatKey, "none is wanted")
	default:
		x.ok(whatKey, "QDRANT_API_KEY is accepted")
	}
	return names, err == nil
}

// readsOnly says whether a key is a token that says so: a JWT (RFC 7519) with the claim that
// https://qdrant.tech/documentation/operations/security/#granular-access-control-with-jwt
// tells of. Its signature is for the server to check.
func readsOnly(key string) bool {
	parts := strings.Split(key, ".")
	if len(parts) != 3 {
		return false
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return false
	}
	var claims struct {
		Access any `json:"access"` // "r", "m", or a list by collection
	}
	return json.Unmarshal(data, &claims) == nil && claims.Access == "r"
}

// collectionInUse looks for the collection that the bot would use, as prepare does.
func (x *examiner) collectionInUse(ctx context.Context) (used string, ok bool) {
	for _, name := range x.names() {
		info, err := x.info(ctx, name)
		switch model := modelOf(info); {
		case isCode(err, codes.NotFound):
			x.ok(whatCollection, "%s is not there yet; the bot makes it", name)
			return name, true
		case err != nil:
			x.failed(whatCollection, err)
			return name, false
		case model == "" || model == x.cfg.Model:
			return name, x.fitting(ctx, name, info)
		}
	}
	x.bad(whatCollection, StateProblem, "collections "+strings.Join(x.names(), " and ")+" hold vectors of other models", "name another with QDRANT_COLLECTION")
	return "", false
}

// fitting tells how a collection is that is of this model, or of nobody's.
func (x *examiner) fitting(ctx context.Context, name string, info *qdrant.CollectionInfo) bool {
	if _, err := x.fits(ctx, name, info); err != nil {
		x.failed(whatCollection, err)
		return false
	}
	params, n := info.GetConfig().GetParams().GetVectorsConfig().GetParams(), info.GetPointsCount()
	switch {
	case modelOf(info) == "" && n > 0:
		x.ok(whatCollection, "%s has lost its mark and holds %s, all of citebot's; the bot takes it", name, countPoints(n))
		return true
	case modelOf(info) == "":
		x.ok(whatCollection, "%s is empty; the bot takes it", name)
		return true
	}
	how := fmt.Sprintf("%s holds %s of %d values of %s%s", name, countPoints(n), params.GetSize(), x.cfg.Model, x.quantisation(info))
	x.health(how, info)
	return true
}

func countPoints(n uint64) string {
	if n == 1 {
		return "1 point"
	}
	return fmt.Sprintf("%d points", n)
}

// quantisation tells how vectors are searched, and what the bot will change about it.
func (x *examiner) quantisation(info *qdrant.CollectionInfo) string {
	is := isQuantised(info)
	switch {
	case is && x.cfg.Quantise:
		return ", quantised to int8"
	case is:
		return ", quantised to int8, which the bot will end"
	case x.cfg.Quantise:
		return ", not quantised yet; the bot sees to it"
	}
	return ""
}

// health tells of a collection that Qdrant itself is not content with:
// https://qdrant.tech/documentation/manage-data/collections/#collection-info
func (x *examiner) health(how string, info *qdrant.CollectionInfo) {
	const remedy = "see Qdrant's log for the reason, and restart it"
	switch failure := info.GetOptimizerStatus().GetError(); {
	case failure != "":
		x.bad(whatCollection, StateWarn, how+"; Qdrant could not optimise it: "+failure, remedy)
	case info.GetStatus() == qdrant.CollectionStatus_Red:
		x.bad(whatCollection, StateWarn, how+"; Qdrant calls its state red", remedy)
	default:
		x.ok(whatCollection, "%s", how)
	}
}

// writer tells who writes the collection. Whether that bot still runs shows only in time.
func (x *examiner) writer(ctx context.Context, name string) {
	if x.cfg.LeaseFile != "" {
		x.lockFile(x.cfg.LeaseFile)
		return
	}
	_, err := x.leaseInfo(ctx, leaseOf(name))
	var now claim
	if err == nil {
		now, err = x.readLease(ctx, leaseOf(name))
	}
	switch {
	case err != nil && !isCode(err, codes.NotFound):
		x.failed(whatWriter, err)
	case now.holder == "":
		x.ok(whatWriter, "nobody; the next bot that starts writes")
	case now.name() == x.cfg.Holder:
		x.ok(whatWriter, "this bot, %s", now.name())
	default:
		x.ok(whatWriter, "another bot, %s; should it be gone, the next one takes over after %v", now.name(), x.times.lasts)
	}
}

// lockFile looks whether the file is locked by trying to, for no longer than that. It makes
// no file.
func (x *examiner) lockFile(file string) {
	const remedy = "let this user write it, or name another with lease_file in bot.yaml"
	lock := flock.New(file, flock.SetFlag(os.O_RDWR))
	got, err := lock.TryLock()
	if err == nil {
		err = lock.Close()
	}
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat(filepath.Dir(file))
		got = true
	}
	switch {
	case err != nil:
		x.bad(whatWriter, StateProblem, fmt.Sprintf("lease_file in bot.yaml: %v", err), remedy)
	case got:
		x.ok(whatWriter, "nobody has locked %s; the next bot that starts writes", file)
	default:
		x.ok(whatWriter, "a bot of this machine, which has locked %s", file)
	}
}

// leftOver tells of collections that were made for other models, as far as it comes in time.
func (x *examiner) leftOver(ctx context.Context, names []string) {
	for _, name := range names {
		ours := strings.HasPrefix(name, "citebot_") || x.cfg.Collection != "" && (name == x.cfg.Collection || strings.HasPrefix(name, x.cfg.Collection+"_"))
		if !ours || ctx.Err() != nil {
			continue
		}
		info, err := x.info(ctx, name)
		if model := modelOf(info); err == nil && model != "" && model != x.cfg.Model {
			x.bad(whatCollection, StateWarn, fmt.Sprintf("%s, %s of %s, is no longer used by this bot", name, countPoints(info.GetPointsCount()), model),
				"delete "+cmp.Or(alsoLease(names, name), name)+" when no other bot uses it")
		}
	}
}

// alsoLease is a collection and its lease's; "" where there is none.
func alsoLease(names []string, name string) string {
	if !slices.Contains(names, leaseOf(name)) {
		return ""
	}
	return name + " and " + leaseOf(name)
}
