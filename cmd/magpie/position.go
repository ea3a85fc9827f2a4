package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

// positions are where a reader stands, by channel.
type positions map[string]magpieclient.Position

// positionFile remembers what was printed, so that a process that was killed continues with the next message.
//
// To print and to remember are two steps, and a kill may come between them. Where the output is a regular file, its
// size tells afterwards whether the first was done: before each batch the file says how long the output is and how
// much is about to be added. Where the output is a pipe or a terminal nobody can tell; the batch is then printed again.
//
// It is not for concurrent use.
type positionFile struct {
	path   string
	output *os.File // nil unless the output is a regular file
	state  positionState
}

// positionState is the content of the file.
type positionState struct {
	Positions positions    `json:"positions"`
	Printing  *outputBatch `json:"printing,omitempty"` // begun, and not known to be done
}

// outputBatch is an addition to a regular file.
type outputBatch struct {
	Size      int64     `json:"size"`  // of the output before it
	Bytes     int64     `json:"bytes"` // how much it adds
	Positions positions `json:"positions"`
}

// openPositions reads the file, if there is one, and settles what a kill left open. A nil positionFile is for a path
// that is empty: it remembers nothing.
func openPositions(path string, output io.Writer) (*positionFile, error) {
	if path == "" {
		return nil, nil
	}
	p := &positionFile{path: path, state: positionState{Positions: positions{}}}
	if f, ok := output.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			p.output = f
		}
	}
	data, err := os.ReadFile(path) //nolint:gosec // whoever runs the command names the file
	if errors.Is(err, fs.ErrNotExist) {
		return p, p.save() // or the first message would show that it cannot be written
	}
	if err != nil {
		return nil, fmt.Errorf("read the position file: %w", err)
	}
	var saved positionState
	if err := json.Unmarshal(data, &saved); err != nil || saved.Positions == nil {
		return nil, usagef("%s is not a position file: name another one, or delete it to start anew", path)
	}
	p.state = saved
	return p, p.settle()
}

// settle decides whether the batch that was begun was printed. One that was printed in part is cut off.
func (p *positionFile) settle() error {
	batch := p.state.Printing
	p.state.Printing = nil
	if batch == nil || p.output == nil {
		return nil
	}
	info, err := p.output.Stat()
	if err != nil {
		return fmt.Errorf("size of the output: %w", err)
	}
	switch size := info.Size(); {
	case size == batch.Size+batch.Bytes:
		maps.Copy(p.state.Positions, batch.Positions)
	case size > batch.Size && size < batch.Size+batch.Bytes:
		if err := p.output.Truncate(batch.Size); err != nil {
			return fmt.Errorf("cut off the line that was printed in part: %w", err)
		}
		if _, err := p.output.Seek(batch.Size, io.SeekStart); err != nil {
			return fmt.Errorf("cut off the line that was printed in part: %w", err)
		}
	}
	return p.save()
}

// of tells where the reader of a channel stands; ok is false when nothing is remembered.
func (p *positionFile) of(channel string) (position magpieclient.Position, ok bool) {
	if p == nil {
		return magpieclient.Position{}, false
	}
	position, ok = p.state.Positions[channel]
	return position, ok
}

// under tells where the reader stands in the channels that a pattern stands for.
func (p *positionFile) under(pattern auth.Pattern) positions {
	all := positions{}
	if p == nil {
		return all
	}
	for channel, position := range p.state.Positions {
		if pattern.Covers(wire.ChannelName(channel)) {
			all[channel] = position
		}
	}
	return all
}

// print writes the output of the events of channels up to their positions, and remembers that it did.
func (p *positionFile) print(w io.Writer, output []byte, reached positions) error {
	if p == nil {
		_, err := w.Write(output)
		return err
	}
	if p.output != nil {
		info, err := p.output.Stat()
		if err != nil {
			return fmt.Errorf("size of the output: %w", err)
		}
		p.state.Printing = &outputBatch{
			Size:      info.Size(),
			Bytes:     int64(len(output)),
			Positions: reached,
		}
		if err := p.save(); err != nil {
			return err
		}
	}
	if _, err := w.Write(output); err != nil {
		return err
	}
	maps.Copy(p.state.Positions, reached)
	p.state.Printing = nil
	return p.save()
}

// save replaces the file as a whole: whoever reads it sees the old state or the new one.
func (p *positionFile) save() error {
	data, err := json.Marshal(p.state)
	if err != nil {
		return err
	}
	if err := replaceFile(p.path, append(data, '\n')); err != nil {
		return fmt.Errorf("write the position file: %w", err)
	}
	return nil
}

func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
