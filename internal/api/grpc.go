package api

import (
	"context"
	"fmt"
	"net/http"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"

	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/protocol/gen/magpie/v1/magpiev1connect"
)

// reflection tells clients such as grpcurl which methods there are: the handlers of its two versions, by their paths.
func reflection(options ...connect.HandlerOption) map[string]http.Handler {
	reflector := grpcreflect.NewStaticReflector(magpiev1connect.GatewayServiceName)
	handlers := make(map[string]http.Handler, 2)
	for _, version := range []func(*grpcreflect.Reflector, ...connect.HandlerOption) (string, http.Handler){
		grpcreflect.NewHandlerV1, grpcreflect.NewHandlerV1Alpha,
	} {
		path, handler := version(reflector, options...)
		handlers[path] = handler
	}
	return handlers
}

// health answers grpc.health.v1, which load balancers ask without a credential.
func health(h *hub.Hub, options ...connect.HandlerOption) (path string, handler http.Handler) {
	return grpchealth.NewHandler(drainChecker{h}, options...)
}

// drainChecker says that the gateway serves until it drains (grpchealth.Checker).
type drainChecker struct{ hub *hub.Hub }

// Check implements [grpchealth.Checker].
func (c drainChecker) Check(_ context.Context, r *grpchealth.CheckRequest) (*grpchealth.CheckResponse, error) {
	if r.Service != "" && r.Service != magpiev1connect.GatewayServiceName {
		return nil, connect.NewError(connect.CodeNotFound, fmt.Errorf("there is no service %q here: expected none, or %s", r.Service, magpiev1connect.GatewayServiceName))
	}
	if c.hub.Draining() {
		return &grpchealth.CheckResponse{Status: grpchealth.StatusNotServing}, nil
	}
	return &grpchealth.CheckResponse{Status: grpchealth.StatusServing}, nil
}
