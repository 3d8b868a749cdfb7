package ledger

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var acceptInto = flag.String("accept-into", "", "be the child that accepts turns into this ledger until it is killed")

// acceptForEver prints each id once the turn is accepted.
func acceptForEver(path string) {
	ctx := context.Background()
	l, err := Open(ctx, path)
	if err != nil {
		panic(err)
	}
	for i := 0; ; i++ {
		key := fmt.Sprint(os.Getpid(), "-", i)
		id, fresh, err := l.Accept(ctx, question("C1", "", key), key, key+"-alias")
		if err != nil || !fresh {
			panic(fmt.Sprint(fresh, err))
		}
		fmt.Println(id, key)
		turn, err := l.Turn(ctx, id)
		if err != nil {
			panic(err)
		}
		turn.State, turn.Posts = Posting, []string{key}
		if _, err := l.Update(ctx, turn); err != nil {
			panic(err)
		}
		fmt.Println(id, key)
	}
}

// Whatever a program was told to be written is there after kill -9.
func TestNothingIsLostByKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	accepted := map[int64]string{}
	posting := map[int64]bool{}
	for round := range 8 {
		for _, said := range runAndKill(t, path, 20+13*round) {
			_, again := accepted[said.id]
			accepted[said.id], posting[said.id] = said.key, again
		}
		l := openLedger(t, path)
		if l.Damaged() != "" {
			t.Fatal("the ledger was found damaged after a kill")
		}
		for id, key := range accepted {
			turn := read(t, l, id)
			if turn.Message != key || posting[id] && turn.State != Posting {
				t.Errorf("turn %d is %+v, want that of message %s", id, turn, key)
			}
			if same, fresh, err := l.Accept(t.Context(), Turn{}, key+"-alias"); same != id || fresh || err != nil {
				t.Errorf("a duplicate of turn %d: got %d, fresh %v, %v", id, same, fresh, err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

type said struct {
	id  int64
	key string
}

// runAndKill runs the child until it has said n lines, and returns all that it said.
func runAndKill(t *testing.T, path string, n int) (all []said) {
	child := exec.Command(os.Args[0], "-accept-into="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var s said
		if _, err := fmt.Sscan(lines.Text(), &s.id, &s.key); err != nil {
			break // torn by the kill
		}
		all = append(all, s)
		if len(all) == n {
			child.Process.Kill()
		}
	}
	if len(all) < n {
		t.Errorf("the child said %d lines, want %d", len(all), n)
	}
	child.Wait() // its error is that it was killed
	return all
}
