//go:build tools

// Names what is built for the end-to-end test of discovery and scraping: Prometheus itself, with discovery in Kubernetes, which Debian's build leaves out.
package tools

import _ "github.com/prometheus/prometheus/cmd/prometheus"
