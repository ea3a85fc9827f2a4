package logs

import (
	"strconv"
	"strings"
	"time"
)

// objectParser knows which member of a JSON line gave what, so that a better one can replace it.
type objectParser struct {
	*parser
	index                                int // of the member at hand in Fields
	time, level, message, trace, service choice
	name                                 choice // a "name", which is the service beside a numeric level
	numeric                              bool   // the level was a number, as pino and bunyan write it
	docker                               bool   // there is a stream, as in docker's json-file
	dockerLine                           string // what "log" held
}

// choice is the member that was taken for something: the lower its rank, the surer.
type choice struct {
	rank  int // 0: none was
	index int // in Fields
}

// The ranks of the names that may give the service.
const (
	rankSure = iota + 1
	rankLikely
	rankGuess  // a name that has other uses too
	rankLogger // who, inside a program, wrote the line
)

// maxKeyBytes is longer than every name that has a meaning.
const maxKeyBytes = 16

// member looks at one member of the line and takes it if it says something that a record has a place for.
func (o *objectParser) member(name, value string) {
	if len(name) > maxKeyBytes {
		return
	}
	var lower [maxKeyBytes]byte
	for i := range len(name) {
		lower[i] = lowerByte(name[i])
	}
	switch string(lower[:len(name)]) {
	case "time", "timestamp", "@timestamp", "ts", "@t":
		o.takeTime(value, rankSure)
	case "t", "datetime", "date", "asctime", "eventtime":
		o.takeTime(value, rankGuess)
	case "level", "lvl", "severity", "log.level", "levelname", "@l":
		o.takeLevel(value, rankSure)
	case "loglevel", "log_level", "severitytext", "severity_text", "priority":
		o.takeLevel(value, rankLikely)
	case "message", "msg", "@m":
		o.takeMessage(value, rankSure)
	case "short_message", "@message", "event":
		o.takeMessage(value, rankGuess)
	case "trace_id", "traceid", "trace.id", "dd.trace_id", "oteltraceid":
		o.takeTrace(value, rankSure)
	case "trace":
		if id, ok := lookup(value, "id"); ok && o.trace.rank == 0 && len(id) <= maxTraceBytes {
			o.TraceID = id
		}
	case "service", "service.name", "service_name", "servicename":
		o.takeService(value, rankSure)
	case "app", "application", "app_name", "appname", "application_name":
		o.takeService(value, rankLikely)
	case "component":
		o.takeService(value, rankGuess)
	case "name":
		o.name = choice{rankGuess, o.index}
	case "logger", "logger_name", "log.logger", "loggername":
		o.takeService(value, rankLogger)
	case "log":
		o.takeLog(value)
	case "stream":
		o.docker = true
	}
}

// better reports whether a member of this rank should replace what was chosen before.
func (c choice) better(rank int) bool { return c.rank == 0 || rank < c.rank }

func (o *objectParser) takeTime(value string, rank int) {
	if !o.time.better(rank) {
		return
	}
	var t time.Time
	var ok bool
	if value[0] == '"' {
		t, ok = parseTime(unquote(value), o.location())
	} else {
		t, ok = parseEpoch(value)
	}
	if ok {
		o.Timestamp = t
		o.time = choice{rank, o.index}
	}
}

func (o *objectParser) takeLevel(value string, rank int) {
	if !o.level.better(rank) {
		return
	}
	level, exact := LevelUnknown, false
	if value[0] == '"' {
		level, exact = ParseLevel(unquote(value))
	} else if n, err := strconv.Atoi(value); err == nil && rank == rankSure {
		level, exact = numericLevel(n)
		o.numeric = level != LevelUnknown
	}
	if level == LevelUnknown {
		return
	}
	o.Level = level
	o.level = choice{rank: rank, index: -1}
	if exact {
		o.level.index = o.index
	}
}

func (o *objectParser) takeMessage(value string, rank int) {
	if o.message.better(rank) && value[0] == '"' {
		o.Message = unquote(value)
		o.message = choice{rank, o.index}
	}
}

func (o *objectParser) takeTrace(value string, rank int) {
	if !o.trace.better(rank) || value[0] != '"' {
		return
	}
	if id := unquote(value); id != "" && len(id) <= maxTraceBytes {
		o.TraceID = id
		o.trace = choice{rank, o.index}
	}
}

func (o *objectParser) takeService(value string, rank int) {
	o.chooseService(value, choice{rank, o.index})
}

func (o *objectParser) chooseService(value string, c choice) {
	if !o.service.better(c.rank) || c.rank >= rankGuess && o.defaults.Service != "" {
		return
	}
	name, nested := lookup(value, "name") // as ECS nests it
	if !nested {
		if value[0] != '"' {
			return
		}
		name = unquote(value)
	}
	if name == "" || len(name) > maxServiceBytes {
		return
	}
	o.Service = name
	o.service = c
	if nested {
		o.service.index = -1 // the object may hold more than the name, so it stays a field
	}
}

// takeLog reads "log": the line itself in docker's json-file, an object with level and logger in ECS.
func (o *objectParser) takeLog(value string) {
	switch value[0] {
	case '"':
		if o.message.rank == 0 {
			o.dockerLine = strings.TrimRight(unquote(value), "\r\n")
			o.Message = o.dockerLine
			o.message = choice{rankLogger, o.index}
		}
	case '{':
		if word, ok := lookup(value, "level"); ok && o.level.rank == 0 {
			if level, _ := ParseLevel(word); level != LevelUnknown {
				o.Level = level
				o.level = choice{rankLikely, -1}
			}
		}
		if name, ok := lookup(value, "logger"); ok && o.service.better(rankLogger) && o.defaults.Service == "" && len(name) <= maxServiceBytes {
			o.Service = name
			o.service = choice{rankLogger, -1}
		}
	}
}

// finish empties the fields that were taken, and parses the line inside a docker line, whose own time, level and
// service come first.
func (o *objectParser) finish(nested int) {
	if o.name.rank != 0 && o.numeric {
		o.chooseService(o.Fields[o.name.index].Value, o.name)
	}
	for _, c := range [...]choice{o.time, o.level, o.message, o.trace, o.service} {
		if c.rank != 0 && c.index >= 0 {
			o.Fields[c.index].Value = ""
		}
	}
	if o.docker && o.message.rank == rankLogger && nested > 0 {
		o.Message = ""
		o.line(o.dockerLine, nil, nested-1)
	}
}
