// The command line of leashctl.
#pragma once

#include <string>
#include <vector>

#include "ctl/context.h"

namespace leash::ctl {

// Carries out `words` (argv without the program's name). Gives the exit code.
int run(Context context, std::vector<std::string> words);

}  // namespace leash::ctl
