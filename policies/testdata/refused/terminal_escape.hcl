plugin "a" {
  source = "[2Ja.wasm"
}
