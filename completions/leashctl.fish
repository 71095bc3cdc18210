# Completion of leashctl for fish. Commands and options are what `leashctl help` says.

function __leashctl_commands
    leashctl help 2>/dev/null | sed -n 's/^  leashctl \([a-z][a-z-]*\).*/\1/p' | sort -u
end

function __leashctl_command
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; or begin
            echo $word
            return
        end
    end
    return 1
end

function __leashctl_options
    set -l command (__leashctl_command); or return
    leashctl help $command 2>/dev/null | sed -n 's/^ *\(-[A-Za-z],\)\{0,1\}\(--\{0,1\}[A-Za-z][A-Za-z-]*\).*/\2/p' | sort -u
end

complete -c leashctl -n 'not __leashctl_command' -f -a '(__leashctl_commands)'
complete -c leashctl -n __leashctl_command -a '(__leashctl_options)'
complete -c leashctl -n 'test (__leashctl_command) = mode' -f -a 'enforce audit blocklist'
complete -c leashctl -n 'test (__leashctl_command) = edit' -f -a 'enforce blocklist'
complete -c leashctl -n 'test (__leashctl_command) = help' -f -a '(__leashctl_commands)'
for option in policy-dir ca-dir
    complete -c leashctl -l $option -r -a '(__fish_complete_directories)'
end
for option in log key witness html ca-file
    complete -c leashctl -l $option -r -F
end
