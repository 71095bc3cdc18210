#include "config/policy_edit.h"
