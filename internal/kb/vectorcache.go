package kb

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"sync"
)

// A vectorCache keeps the vector of every text that was ever embedded, so that neither a
// restart nor a text that comes back is embedded again. It is one file that only grows
// until compacted:
//
//	header: "kbvec1\n", dim as uint32, 4 bytes of zero, the embedder's ID (SHA-256)
//	record: key (32 bytes), scale (float32), dim values (int16), CRC-32 of the record
//
// all little-endian. A record that is torn or damaged is not there; its text is embedded
// again.
type vectorCache struct {
	path  string
	model [32]byte
	dim   int

	mu      sync.Mutex
	file    *os.File
	end     int64              // of the last whole record
	offsets map[cacheKey]int64 // of each key's record
}

type cacheKey [32]byte

const (
	cacheMagic  = "kbvec1\n\x00"
	cacheHeader = int64(len(cacheMagic) + 8 + 32)
)

// textKey is the cache's key for a text.
func textKey(text string) cacheKey { return sha256.Sum256([]byte(text)) }

// openVectorCache opens or makes the file. A file of another model or format, or one
// that cannot be read, is replaced, and why says so.
func openVectorCache(path, model string, dim int) (c *vectorCache, why, err error) {
	c = &vectorCache{path: path, model: sha256.Sum256([]byte(model)), dim: dim, offsets: map[cacheKey]int64{}}
	if c.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, nil, err
	}
	if why = c.load(); why == nil {
		return c, nil, nil
	}
	if errors.Is(why, io.EOF) {
		why = nil // new and empty
	}
	if err := c.clear(); err != nil {
		c.file.Close()
		return nil, why, err
	}
	return c, why, nil
}

func (c *vectorCache) header() []byte {
	h := append([]byte(cacheMagic), make([]byte, 8)...)
	binary.LittleEndian.PutUint32(h[len(cacheMagic):], uint32(c.dim))
	return append(h, c.model[:]...)
}

func (c *vectorCache) recordSize() int64 { return int64(32 + 4 + 2*c.dim + 4) }

// load reads the records' keys and cuts off a torn tail.
func (c *vectorCache) load() error {
	r := bufio.NewReaderSize(c.file, 1<<20)
	header := make([]byte, cacheHeader)
	if _, err := io.ReadFull(r, header); err != nil {
		return err
	}
	if string(header) != string(c.header()) {
		return errors.New("the vector cache is of another model or format")
	}
	c.end = cacheHeader
	record := make([]byte, c.recordSize())
	for {
		if _, err := io.ReadFull(r, record); err != nil {
			return c.file.Truncate(c.end)
		}
		if sealed(record) {
			c.offsets[cacheKey(record[:32])] = c.end
		}
		c.end += c.recordSize()
	}
}

func (c *vectorCache) clear() error {
	if err := c.file.Truncate(0); err != nil {
		return err
	}
	if _, err := c.file.WriteAt(c.header(), 0); err != nil {
		return err
	}
	c.end = cacheHeader
	c.offsets = map[cacheKey]int64{}
	return nil
}

// has says whether there is a vector of a key, as far as is known without reading it.
func (c *vectorCache) has(key cacheKey) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.offsets[key]
	return ok
}

// get returns the vector of a key, or nil.
func (c *vectorCache) get(key cacheKey) []float32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.offsets[key]
	if !ok {
		return nil
	}
	record := make([]byte, c.recordSize())
	if _, err := c.file.ReadAt(record, at); err != nil || !sealed(record) || cacheKey(record[:32]) != key {
		delete(c.offsets, key)
		return nil
	}
	return decodeVector(record[32:], c.dim)
}

// put appends vectors; keys that are there already are left alone.
func (c *vectorCache) put(keys []cacheKey, vectors [][]float32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var buf []byte
	var added []cacheKey
	for i, key := range keys {
		if _, ok := c.offsets[key]; ok || vectors[i] == nil {
			continue
		}
		buf = appendRecord(buf, key, vectors[i])
		added = append(added, key)
	}
	if _, err := c.file.WriteAt(buf, c.end); err != nil {
		return fmt.Errorf("vector cache %s: %w", c.path, err)
	}
	for _, key := range added {
		c.offsets[key] = c.end
		c.end += c.recordSize()
	}
	return nil
}

// compact rewrites the file with the keys that are wanted, when fewer than half are.
func (c *vectorCache) compact(wanted map[cacheKey]bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	records := (c.end - cacheHeader) / c.recordSize()
	if records < 1024 || records < 2*int64(len(wanted)) {
		return nil
	}
	temp, err := os.OpenFile(c.path+".tmp", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	offsets, end, err := c.copyTo(temp, wanted)
	if err == nil {
		err = os.Rename(temp.Name(), c.path)
	}
	if err != nil {
		temp.Close()
		os.Remove(temp.Name())
		return fmt.Errorf("vector cache %s: %w", c.path, err)
	}
	c.file.Close()
	c.file, c.offsets, c.end = temp, offsets, end
	return nil
}

func (c *vectorCache) copyTo(temp *os.File, wanted map[cacheKey]bool) (map[cacheKey]int64, int64, error) {
	w := bufio.NewWriter(temp)
	_, _ = w.Write(c.header()) // a bufio.Writer keeps its error for Flush
	offsets, end := map[cacheKey]int64{}, cacheHeader
	record := make([]byte, c.recordSize())
	for key, at := range c.offsets {
		if !wanted[key] {
			continue
		}
		if _, err := c.file.ReadAt(record, at); err != nil {
			return nil, 0, err
		}
		_, _ = w.Write(record)
		offsets[key], end = end, end+c.recordSize()
	}
	return offsets, end, w.Flush()
}

func (c *vectorCache) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.file.Close()
}

func appendRecord(buf []byte, key cacheKey, vector []float32) []byte {
	start := len(buf)
	buf = append(buf, key[:]...)
	scale := maxAbs(vector) / math.MaxInt16
	buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(scale))
	for _, x := range vector {
		var q int16
		if scale > 0 {
			q = int16(math.RoundToEven(float64(x / scale)))
		}
		buf = binary.LittleEndian.AppendUint16(buf, uint16(q))
	}
	return binary.LittleEndian.AppendUint32(buf, crc32.ChecksumIEEE(buf[start:]))
}

// sealed says whether a record's checksum holds.
func sealed(record []byte) bool {
	n := len(record) - 4
	return crc32.ChecksumIEEE(record[:n]) == binary.LittleEndian.Uint32(record[n:])
}

func decodeVector(b []byte, dim int) []float32 {
	scale := math.Float32frombits(binary.LittleEndian.Uint32(b))
	out := make([]float32, dim)
	for i := range out {
		out[i] = float32(int16(binary.LittleEndian.Uint16(b[4+2*i:]))) * scale
	}
	return out
}
