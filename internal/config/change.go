package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Change is a setting that differs between two configurations.
type Change struct {
	Key           string // such as limits.connections, or namespaces[orders].retention.age
	Before, After string // as a file has it, but for secrets; empty where there is none
	Live          bool   // it can be had without a restart
}

// Reload is [Load] for a process that runs with a configuration: what is worked out from the machine stays as it is.
func Reload(path string, running *Config, overrides ...func(*Config)) (*Config, error) {
	stay := func(c *Config) {
		if c.NodeID == "" {
			c.NodeID = running.NodeID
		}
		if c.Memory.LogBytes == 0 {
			c.Memory.LogBytes = running.Memory.LogBytes
		}
		if c.Loops == 0 {
			c.Loops = running.Loops
		}
	}
	return Load(path, append(slices.Clone(overrides), stay)...)
}

// Succeed returns the configuration as it is once whatever can be had of next without a restart is in use, and in which
// settings the two differ. Its error says why these settings cannot be had without the others.
func (c *Config) Succeed(next *Config) (*Config, []Change, error) {
	changes := c.changes(next)
	now := *c
	now.places = next.places
	now.Log.Level = next.Log.Level
	now.Origins = next.Origins
	now.Auth.APIKeys, now.Auth.DefaultRights = next.Auth.APIKeys, next.Auth.DefaultRights
	now.Limits.Connections, now.Limits.SessionsPerUser = next.Limits.Connections, next.Limits.SessionsPerUser
	now.Limits.Subscriptions = next.Limits.Subscriptions
	now.Durability, now.Retention, now.Idempotency = next.Durability, next.Retention, next.Idempotency
	now.SlowConsumer, now.MaxLag = next.SlowConsumer, next.MaxLag
	now.Namespaces = next.Namespaces
	now.System = next.System
	if err := now.Check(); err != nil {
		return nil, nil, fmt.Errorf("what can be had without a restart does not go with what cannot: %w", err)
	}
	return &now, changes, nil
}

// isLive reports whether a setting can be had without a restart.
func isLive(key string) bool {
	for _, live := range []string{
		"log.level", "auth.api_keys", "auth.default_rights", "origins", "limits.connections", "limits.sessions_per_user",
		"limits.subscriptions", "durability", "retention", "idempotency", "slow_consumer", "max_lag", "namespaces", "system",
	} {
		if rest, ok := strings.CutPrefix(key, live); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// changes lists what differs, in the order of a file.
func (c *Config) changes(next *Config) []Change {
	var all differences
	all.structs("", reflect.ValueOf(*c), reflect.ValueOf(*next))
	return all
}

type differences []Change

func (d *differences) add(key, before, after string) {
	*d = append(*d, Change{key, before, after, isLive(key)})
}

// structs compares two values of the same struct type, setting by setting.
func (d *differences) structs(path string, before, after reflect.Value) {
	for i := range before.NumField() {
		field := before.Type().Field(i)
		key, option, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		switch {
		case !field.IsExported() || key == "-":
		case option == "inline":
			d.structs(path, before.Field(i), after.Field(i))
		default:
			d.values(join(path, key), before.Field(i), after.Field(i))
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (d *differences) values(key string, before, after reflect.Value) {
	switch b := before.Interface().(type) {
	case Audience, Secret:
	case []Namespace:
		named(d, key, b, after.Interface().([]Namespace), func(n *Namespace) string { return n.Name }) //nolint:forcetypeassert // they are of one type
		return
	case []APIKey:
		named(d, key, b, after.Interface().([]APIKey), func(k *APIKey) string { return k.Name }) //nolint:forcetypeassert // they are of one type
		return
	default:
		if before.Kind() == reflect.Struct {
			d.structs(key, before, after)
			return
		}
	}
	if !reflect.DeepEqual(before.Interface(), after.Interface()) {
		d.add(key, show(before.Interface()), show(after.Interface()))
	}
}

// named compares lists whose items have names, which is how their order comes to no difference but its own.
func named[T any](d *differences, key string, before, after []T, name func(*T) string) {
	find := func(list []T, wanted string) *T {
		i := slices.IndexFunc(list, func(item T) bool { return name(&item) == wanted })
		if i < 0 {
			return nil
		}
		return &list[i]
	}
	var stayed, stay []string // in their order before and afterwards
	for i := range before {
		item := name(&before[i])
		path := key + "[" + item + "]"
		other := find(after, item)
		if other == nil {
			d.add(path, "present", "")
			continue
		}
		stayed = append(stayed, item)
		d.structs(path, reflect.ValueOf(before[i]), reflect.ValueOf(*other))
	}
	for i := range after {
		if item := name(&after[i]); find(before, item) == nil {
			d.add(key+"["+item+"]", "", "present")
		} else {
			stay = append(stay, item)
		}
	}
	if !slices.Equal(stayed, stay) {
		d.add(key, show(stayed), show(stay))
	}
}

// show writes the value of one setting, but no secret.
func show(value any) string {
	switch v := value.(type) {
	case time.Duration:
		return showDuration(v)
	case []string:
		return "[" + strings.Join(v, ", ") + "]"
	case Audience:
		return v.String()
	}
	return fmt.Sprint(value)
}
