package launch

// helperWay makes the test binary act as another program: tests that must not
// take the test process with them, or that need a host to kill, run it again.
const helperWay = "LAUNCH_TEST_HELPER"

func helper() {}
