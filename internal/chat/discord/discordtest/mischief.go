package discordtest

import "time"

// A Mischief is what the gateway does wrong to a connection until it is ready.
type Mischief struct {
	Refuse    int           // answer the upgrade with this status
	Garbage   string        // send this frame before HELLO
	NoHello   bool          // say nothing
	Reconnect bool          // Op 7 instead of READY or RESUMED
	Invalid   bool          // Op 9 instead of READY or RESUMED, once …
	Resumable bool          // … with d: true
	Close     int           // close with this code instead of READY or RESUMED
	SlowReady time.Duration // before READY or RESUMED
	Deaf      bool          // nothing is read: no READY comes
	NoAcks    bool          // heartbeats are not acknowledged
}

// Misbehave makes the next n connections go wrong; n < 0: all until Behave.
func (s *Server) Misbehave(n int, m Mischief) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mischief = append(s.mischief, trouble{m, n})
}

// Behave ends all that Misbehave began, for new connections.
func (s *Server) Behave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mischief = nil
}

// trouble is a Mischief and how often it is still to happen; < 0: always.
type trouble struct {
	Mischief
	left int
}

func (s *Server) nextMischief() Mischief {
	for len(s.mischief) > 0 && s.mischief[0].left == 0 {
		s.mischief = s.mischief[1:]
	}
	if len(s.mischief) == 0 {
		return Mischief{}
	}
	s.mischief[0].left--
	return s.mischief[0].Mischief
}

// misbehave does what a connection's mischief says instead of READY or RESUMED.
func (s *Server) misbehave(c *Conn) bool {
	m := &c.mischief
	switch {
	case m.Reconnect:
		c.send(opReconnect, nil)
	case m.Invalid:
		m.Invalid = false
		c.send(opInvalidSession, m.Resumable)
	case m.Close != 0:
		c.shut(m.Close, "discordtest")
	default:
		return false
	}
	return true
}
