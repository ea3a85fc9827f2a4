package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/magpie-bridge/magpie"
)

// question is what the pages of a user are asked by the call ui.confirm. They answer true or false.
type question struct {
	Question string `json:"question"`
	Yes      string `json:"yes"`
}

// confirm asks the user, on whichever of their pages they answer first, whether an item is to be thrown away. It returns nil
// for yes. Without a page to ask, the answer is no.
func (s *stock) confirm(ctx context.Context, user string, it item) error {
	reply, err := s.gw.Call(ctx, magpie.User(user), "ui.confirm", question{
		Question: fmt.Sprintf("Throw away %d × %s?", it.Count, it.Name), Yes: "Throw away",
	}, magpie.CallOptions{Timeout: s.patience})
	if failure, ok := errors.AsType[*magpie.Error](err); ok && (failure.Code == "not_found" || failure.Code == "unimplemented") {
		return &magpie.Error{Code: "failed_precondition", Message: "open the page first: it asks whether you are sure"}
	}
	if err != nil {
		return err
	}
	var yes bool
	if err := reply.Decode(&yes); err != nil {
		return err
	}
	if !yes {
		return &magpie.Error{Code: "failed_precondition", Message: "you said no"}
	}
	return nil
}
