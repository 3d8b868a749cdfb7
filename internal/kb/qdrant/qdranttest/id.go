package qdranttest

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// id is a point's: a number or a UUID.
type id struct {
	num    uint64
	uuid   [16]byte
	isUUID bool
}

// compare orders ids as Qdrant does: numbers first, UUIDs by their bytes.
func (a id) compare(b id) int {
	switch {
	case a.isUUID && b.isUUID:
		return bytes.Compare(a.uuid[:], b.uuid[:])
	case a.isUUID:
		return 1
	case b.isUUID:
		return -1
	}
	return cmp.Compare(a.num, b.num)
}

func (a id) String() string {
	if !a.isUUID {
		return strconv.FormatUint(a.num, 10)
	}
	u := a.uuid
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

func (a id) proto() *qdrant.PointId {
	if a.isUUID {
		return qdrant.NewIDUUID(a.String())
	}
	return qdrant.NewIDNum(a.num)
}

func readID(p *qdrant.PointId) (id, error) {
	switch v := p.GetPointIdOptions().(type) {
	case *qdrant.PointId_Num:
		return id{num: v.Num}, nil
	case *qdrant.PointId_Uuid:
		return parseUUID(v.Uuid)
	}
	return id{}, status.Error(codes.InvalidArgument, "No ID options provided")
}

// parseUUID takes the ways to write a UUID that Qdrant takes: with hyphens or without, in
// braces, as a URN.
func parseUUID(s string) (id, error) {
	a := id{isUUID: true}
	text := strings.TrimPrefix(s, "urn:uuid:")
	text = strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
	if len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-' {
		text = strings.ReplaceAll(text, "-", "")
	}
	if n, err := hex.Decode(a.uuid[:], []byte(text[:min(len(text), 32)])); err != nil || n != 16 || len(text) != 32 {
		return id{}, status.Errorf(codes.InvalidArgument, "Unable to parse UUID: %s", s)
	}
	return a, nil
}

func readIDs(list []*qdrant.PointId) ([]id, error) {
	ids := make([]id, len(list))
	for i, p := range list {
		var err error
		if ids[i], err = readID(p); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

func parseID(s string) (id, error) {
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return id{num: n}, nil
	}
	return parseUUID(s)
}
