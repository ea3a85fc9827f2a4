package scenarios_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// serviceCall is what is behind "asks": a method of the server API, its request, and the pattern of its answer.
var serviceCall = regexp.MustCompile(`^([A-Z][A-Za-z]*) (\{.*\}) gets (\{.*\})$`)

// ask asks the server API of the gateway, as a backend does that has no line.
func (p *player) ask(ctx context.Context, s step) error {
	m := serviceCall.FindStringSubmatch(s.rest)
	if m == nil {
		return fmt.Errorf("expected a method, its request, the word gets, and what is answered")
	}
	body, err := p.names.expand(m[2])
	if err != nil {
		return err
	}
	address := "http" + strings.TrimSuffix(strings.TrimPrefix(p.url, "ws"), "/ws") + "/magpie.v1.GatewayService/" + m[1]
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	given, err := p.names.match(m[3], string(answer))
	if err == nil {
		p.names = given
	}
	return err
}
