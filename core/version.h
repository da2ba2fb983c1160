// Which build this is, for --version and for the logs of a search.
#pragma once

namespace bankai {

// "0.1.0 (abc1234)": the release and the commit it was built from; without the commit outside git.
const char* version_string();

}  // namespace bankai
