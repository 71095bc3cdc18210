#include "config/policy_files.h"
