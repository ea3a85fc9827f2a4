package file

import (
	"os"

	"golang.org/x/sys/windows"
)

// identify tells which file f is.
func identify(f *os.File) (identity, error) {
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &info); err != nil {
		return identity{}, err
	}
	return identity{
		device: uint64(info.VolumeSerialNumber),
		inode:  uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow),
		birth:  info.CreationTime.Nanoseconds(),
	}, nil
}
