// Package auth answers two questions: who is this, and may they?
//
// A request or a connect frame carries a [Credential]. An [Authenticator] turns it into a [Principal], which every
// session of that credential shares and nobody changes. [Principal.May] is then asked before each publish,
// subscription and call; it is on the path of every message, and where it allows it allocates nothing.
// An [OriginPolicy] stands before all of that: it keeps web pages of other sites away from the gateway.
//
// A token never appears in an error, a log line or a printed value of this package.
//
// Files:
//
//	principal.go   who a session acts for, and May
//	rights.go      what may be done, as lists of patterns
//	rightscache.go rights that many tokens grant alike, compiled once
//	pattern.go     names with wildcards
//	credential.go  what was presented, and the seam that checks it
//	request.go     finding the credential in an HTTP request; URLs fit for a log
//	jwt.go         signed tokens (HS256)
//	mint.go        signing such tokens
//	apikey.go      keys of services
//	chain.go       choosing by the look of the token; development mode
//	before.go      asking an embedding program first
//	origin.go      which web pages may talk to the gateway
package auth
