// Package qdranttest is a Qdrant for tests.
package qdranttest
