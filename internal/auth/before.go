package auth

import "context"

// Before asks somebody else before an [Authenticator].
type Before struct {
	// First finds out whom a token, which may be empty, stands for. Its error refuses the client; where it returns neither,
	// Next is asked.
	First func(ctx context.Context, token string) (*Principal, error)
	Next  Authenticator
}

// Authenticate asks one after the other.
func (b Before) Authenticate(ctx context.Context, credential Credential) (*Principal, error) {
	if len(credential.Token) > MaxTokenBytes {
		return nil, checkToken(credential)
	}
	principal, err := b.First(ctx, credential.Token)
	if principal != nil || err != nil {
		return principal, err
	}
	return b.Next.Authenticate(ctx, credential)
}
