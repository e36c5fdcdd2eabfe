// Package ringserve is the sandbox's side of pluginkit/ringwire: it takes calls
// from a shmchan channel and hands them to a Handler, one at a time, on the
// goroutine that called Serve.
//
//	channel, err := shmchan.Attach(files, shape.Config())
//	err = ringserve.Serve(channel, handler)
//
// While a Handler runs a call, a second goroutine reads the capabilities lane, so
// that an answer, or the host's wish to end the call, reaches a handler that
// waits. A call that asks for nothing costs one message each way.
package ringserve
