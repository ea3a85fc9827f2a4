package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

// presencePage is how many members are asked for at once: as many as a gateway gives.
const presencePage = 1000

// presenceFlags are what the command line of presence says.
type presenceFlags struct {
	line  *lineFlags
	limit int
	after string
	json  bool
	watch bool
}

func newPresenceCommand(env environment) *cobra.Command {
	f := &presenceFlags{}
	cmd := &cobra.Command{
		Use:   "presence CHANNEL",
		Short: "List who is in a channel",
		Long: `List the members of a channel, which are the sessions that have subscribed it, in the order of their ids. With --watch the
command goes on, until Ctrl-C, and prints who joins and who leaves; of a channel with more than 1,000 members it prints once a
second how many there are.

The channel's namespace has to say "presence: true". Outside development mode the credential needs the right presence on the
channel.`,
		Example: `  magpie presence room.7
  magpie presence room.7 --watch
  magpie presence room.7 --json | jq -r .userId`,
		Args: usage(between(1, 1, "the channel")),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.limit < 0 {
				return usagef("--limit %d: expected 0 or more", f.limit)
			}
			if err := checkChannels(args...); err != nil {
				return err
			}
			return f.show(cmd.Context(), env, args[0])
		},
	}
	f.line = addLineFlags(cmd, env)
	flags := cmd.Flags()
	flags.IntVar(&f.limit, "limit", 0, "list at most `N` members (0: all)")
	flags.StringVar(&f.after, "after", "", "only those whose session ids come after this one")
	flags.BoolVar(&f.json, "json", false, "print one JSON object for each member and each change")
	flags.BoolVar(&f.watch, "watch", false, "go on with who joins and who leaves")
	return cmd
}

// memberLine is what --json prints for a member: the fields of the members frame.
type memberLine struct {
	UserID    string          `json:"userId"`
	SessionID string          `json:"sessionId"`
	Device    string          `json:"device,omitempty"`
	NodeID    string          `json:"nodeId,omitempty"`
	Since     int64           `json:"since"`
	Info      json.RawMessage `json:"info,omitempty"`
}

func (f *presenceFlags) show(ctx context.Context, env environment, channel string) error {
	client, err := f.line.dial(ctx)
	if err != nil {
		return unlessDone(ctx, err)
	}
	defer client.Close() //nolint:errcheck // it has no error to tell
	first, err := f.list(ctx, env, client, channel)
	if err == nil && f.watch {
		err = f.follow(ctx, env, client, first)
	}
	return unlessDone(ctx, explain(err, f.line.options()))
}

// list prints the members, and returns the first page of them.
func (f *presenceFlags) list(ctx context.Context, env environment, client *magpieclient.Client, channel string) (*magpieclient.MembersPage, error) {
	opts := magpieclient.PresenceOptions{After: f.after, Limit: presencePage}
	if f.limit > 0 {
		opts.Limit = min(opts.Limit, f.limit)
	}
	var first, last *magpieclient.MembersPage
	var members []magpieclient.Member
	for page, err := range client.PresencePages(ctx, channel, opts) {
		if err != nil {
			return nil, err
		}
		first, last = cmp.Or(first, page), page
		members = append(members, page.Members...)
		if f.limit > 0 && len(members) >= f.limit {
			members = members[:f.limit]
			break
		}
	}
	if err := f.print(env, members); err != nil {
		return nil, err
	}
	if first.Count == 0 && !f.line.quiet {
		say(env, "nobody is in %s", channel)
	}
	if n := len(members); n > 0 && f.limit > 0 && (last.Next != "" || n < len(last.Members)) {
		sayMore(env, f.line, n, int64(last.Count), members[n-1].SessionID)
	}
	return first, nil
}

func (f *presenceFlags) print(env environment, members []magpieclient.Member) error {
	if !f.json {
		now := time.Now()
		return writeTable(env.stdout, "USER\tSESSION\tDEVICE\tNODE\tSINCE\tINFO", members,
			func(m magpieclient.Member) string { return memberRow(&m, now) })
	}
	out := json.NewEncoder(env.stdout)
	for _, m := range members {
		if err := out.Encode(memberLine{m.UserID, m.SessionID, m.Device, m.NodeID, m.Since.UnixMilli(), m.Info}); err != nil {
			return err
		}
	}
	return nil
}

func memberRow(m *magpieclient.Member, now time.Time) string {
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", inert(m.UserID), inert(m.SessionID), cmp.Or(inert(m.Device), "-"),
		cmp.Or(inert(m.NodeID), "-"), now.Sub(m.Since).Truncate(time.Second), cmp.Or(inert(string(m.Info)), "-"))
}

// change is a message that tells of members.
type change struct {
	Event     string
	UserID    string
	SessionID string
	Device    string
	Count     int
	Joined    []change
	Left      []change
	Info      json.RawMessage
}

// follow prints what changes behind a page.
func (f *presenceFlags) follow(ctx context.Context, env environment, client *magpieclient.Client, page *magpieclient.MembersPage) error {
	channel := magpieclient.MembersChannel(page.Channel)
	s, err := client.Subscribe(ctx, channel, magpieclient.SubscribeOptions{From: magpieclient.At(page.Position)})
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // it has no error to tell
	for event, err := range s.Events(ctx) {
		if err != nil {
			return fmt.Errorf("%s: %w", channel, err)
		}
		switch event := event.(type) {
		case *magpieclient.Gap:
			say(env, "%s; ask again who is there", describeGap(event))
		case *magpieclient.Message:
			if err := f.printChange(env, event); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *presenceFlags) printChange(env environment, m *magpieclient.Message) error {
	if f.json {
		_, err := fmt.Fprintf(env.stdout, "%s\n", m.Payload.Bytes)
		return err
	}
	var c change
	if err := json.Unmarshal(m.Payload.Bytes, &c); err != nil {
		return fmt.Errorf("%s: a message is not as expected: %w", m.Channel, err)
	}
	at := m.Time.Local().Format(time.TimeOnly)
	if c.Event == "count" {
		_, err := fmt.Fprintf(env.stdout, "%s %d members: %d named who joined, %d who left\n", at, c.Count, len(c.Joined), len(c.Left))
		return err
	}
	_, err := fmt.Fprintf(env.stdout, "%s %-5s %s %s %s %s\n", at, inert(c.Event), inert(c.UserID), inert(c.SessionID),
		cmp.Or(inert(c.Device), "-"), cmp.Or(inert(string(c.Info)), "-"))
	return err
}
