#include "base/authority.h"
