plugin "a" {
  source = "a.wasm

  http {
    allow "api.github.com" {
  }
}
