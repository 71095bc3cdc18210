#include "proxy/turn_away.h"

#include <sys/socket.h>

#include <string>

#include "http/h1_writer.h"

namespace leash::proxy {

void turn_away(base::Fd fd, const Answer& answer) {
  std::string out;
  http::append_response(out, answer.head);
  out += answer.body;
  // One try: a fresh socket's buffer takes it whole. Nothing is kept for those who do not read.
  [[maybe_unused]] const auto sent =
      ::send(fd.get(), out.data(), out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(fd.get(), SHUT_WR);
  // What the client has sent already would turn our close into a reset that swallows the answer.
  char sink[4096];
  while (::recv(fd.get(), sink, sizeof sink, MSG_DONTWAIT) > 0) {
  }
}

}  // namespace leash::proxy
