package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"unicode/utf8"

	"github.com/magpie-bridge/magpie"
)

const maxNameBytes = 100

var itemID = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

func (s *stock) serveItems(w http.ResponseWriter, _ *http.Request, _ string) {
	answer(w, s.inventory())
}

func (s *stock) servePut(w http.ResponseWriter, r *http.Request, user string) {
	var it item
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes)).Decode(&it); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	it.ID = r.PathValue("id")
	if !itemID.MatchString(it.ID) || it.Name == "" || len(it.Name) > maxNameBytes || !utf8.ValidString(it.Name) || it.Count < 0 {
		http.Error(w, "an item has an id, a name and a count", http.StatusBadRequest)
		return
	}
	if err := s.set(r.Context(), it, user); err != nil {
		refuse(w, err)
		return
	}
	answer(w, it)
}

// serveDelete throws an item away, once its user has said yes to it.
func (s *stock) serveDelete(w http.ResponseWriter, r *http.Request, user string) {
	it, err := s.item(r.PathValue("id"))
	if err == nil {
		err = s.confirm(r.Context(), user, it)
	}
	if err == nil {
		err = s.throwAway(r.Context(), it, user)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// takeArgument is what the method stock.take is called with.
type takeArgument struct {
	ID    string `json:"id"`
	Count int    `json:"count"`
}

// serveTake answers the calls of stock.take. Who calls is known from the line; nothing has to be sent for it.
func (s *stock) serveTake(ctx context.Context, r *magpie.Request) (any, error) {
	var in takeArgument
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	return s.take(ctx, in.ID, in.Count, r.UserID)
}

// refuse tells a failure over HTTP: the sentence, and a status for the code.
func refuse(w http.ResponseWriter, err error) {
	failure, ok := errors.AsType[*magpie.Error](err)
	if !ok {
		http.Error(w, "something went wrong", http.StatusInternalServerError)
		return
	}
	status := http.StatusInternalServerError
	switch failure.Code { //nolint:exhaustive // the others are faults
	case "not_found":
		status = http.StatusNotFound
	case "invalid_argument":
		status = http.StatusBadRequest
	case "failed_precondition", "aborted":
		status = http.StatusConflict
	case "deadline_exceeded":
		status = http.StatusGatewayTimeout
	case "resource_exhausted", "unavailable":
		status = http.StatusServiceUnavailable
	}
	http.Error(w, failure.Message, status)
}
