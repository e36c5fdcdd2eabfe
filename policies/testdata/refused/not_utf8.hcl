plugin "a" {
  source = "ÿ.wasm"
}
