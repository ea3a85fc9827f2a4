package wire

// The limits of what one frame may hold many of. They bound the work that one frame can ask for.
const (
	MaxBatch     = 1000 // messages of a publish, and their results
	MaxPage      = 1000 // messages of a page
	MaxPositions = 1000 // positions of a resume: as many channels as a session may reasonably follow
	MaxAnswers   = 1000 // answers of a reply, and with them the peers that one call may ask
	MaxMembers   = 1000 // members of a page
)

// DefaultPage is how many messages or members a page has at most where nothing is said of it.
const DefaultPage = 100

// The lists of the frames. Each is its slice under another name, so that showing it to a coder allocates nothing.
type (
	publications []Publication
	messages     []Message
	results      []PublishResult
	positions    []ChannelPosition
	answers      []Answer
	members      []Member
)

func (l *Pairs) size() int           { return len(*l) }
func (l *Pairs) item(i int) record   { return &(*l)[i] }
func (l *Pairs) extend(n int) record { return extend((*[]Pair)(l), n) }
func (l *Pairs) limit() int          { return MaxPairs }
func (l *Pairs) key(i int) string    { return (*l)[i].Key }

func (l *publications) size() int           { return len(*l) }
func (l *publications) item(i int) record   { return &(*l)[i] }
func (l *publications) extend(n int) record { return extend((*[]Publication)(l), n) }
func (l *publications) limit() int          { return MaxBatch }

func (l *messages) size() int           { return len(*l) }
func (l *messages) item(i int) record   { return &(*l)[i] }
func (l *messages) extend(n int) record { return extend((*[]Message)(l), n) }
func (l *messages) limit() int          { return MaxPage }

func (l *results) size() int           { return len(*l) }
func (l *results) item(i int) record   { return &(*l)[i] }
func (l *results) extend(n int) record { return extend((*[]PublishResult)(l), n) }
func (l *results) limit() int          { return MaxBatch }

func (l *positions) size() int           { return len(*l) }
func (l *positions) item(i int) record   { return &(*l)[i] }
func (l *positions) extend(n int) record { return extend((*[]ChannelPosition)(l), n) }
func (l *positions) limit() int          { return MaxPositions }
func (l *positions) key(i int) string    { return string((*l)[i].Channel) }

func (l *answers) size() int           { return len(*l) }
func (l *answers) item(i int) record   { return &(*l)[i] }
func (l *answers) extend(n int) record { return extend((*[]Answer)(l), n) }
func (l *answers) limit() int          { return MaxAnswers }

func (l *members) size() int           { return len(*l) }
func (l *members) item(i int) record   { return &(*l)[i] }
func (l *members) extend(n int) record { return extend((*[]Member)(l), n) }
func (l *members) limit() int          { return MaxMembers }

// extend adds a zero item. The slice is made for n at once: lists are never taken from one frame to the next, so
// that a caller may keep them.
func extend[T any](items *[]T, n int) *T {
	if *items == nil {
		*items = make([]T, 0, n)
	}
	*items = append(*items, *new(T))
	return &(*items)[len(*items)-1]
}
