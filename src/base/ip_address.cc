#include "base/ip_address.h"
