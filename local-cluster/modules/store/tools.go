//go:build tools

// Package tools names the program that the tests keep models in, so that go.mod and go.sum cover it.
package tools

import (
	_ "github.com/versity/versitygw/cmd/versitygw"
)
