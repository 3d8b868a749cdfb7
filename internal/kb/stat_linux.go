package kb

import (
	"io/fs"
	"syscall"
)

func statOf(info fs.FileInfo) fileStat {
	st := fileStat{Size: info.Size(), ModNS: info.ModTime().UnixNano()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		st.ChgNS, st.Inode = sys.Ctim.Nano(), sys.Ino
	}
	return st
}

// dirID tells a folder from every other: its device and inode.
func dirID(info fs.FileInfo) [2]uint64 {
	sys, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return [2]uint64{}
	}
	return [2]uint64{uint64(sys.Dev), sys.Ino}
}
