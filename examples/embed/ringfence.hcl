# What the embedding program grants: jq computes, in half a minute and 256 MiB.
plugin "jq" {
  source = "../../bin/tools/jq.wasm"

  limits {
    memory       = "256MiB"
    call_timeout = "30s"
  }
}
