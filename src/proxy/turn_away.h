// Answers a connection that will not be served.
#pragma once

#include "base/fd.h"
#include "proxy/error_page.h"

namespace leash::proxy {

// Sends the answer and closes; reads nothing. The connection holds no session and counts for
// nobody.
void turn_away(base::Fd fd, const Answer& answer);

}  // namespace leash::proxy
