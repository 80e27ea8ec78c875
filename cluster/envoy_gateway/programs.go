//go:build programs

// Package envoygateway names the program that is built, so that `go mod tidy` keeps what it needs.
package envoygateway

import _ "github.com/envoyproxy/gateway/cmd/envoy-gateway"
