# A boot sector that does what every 64-bit guest does first: it enters long mode with paging, computes for a while,
# takes interrupts of the timer while halted, and ends QEMU by its isa-debug-exit device with status 85. QEMU's debug
# console (port 0xe9) shows how far it came: R (real mode), L (long mode), C (computed), T (timer).
#
#   as --32 -o probe.o guest_probe.S && ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o probe.bin probe.o

        .code16
        .globl _start
_start: cli
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $0x7c00, %sp
        movb    $'R', %al
        outb    %al, $0xe9

        xorw    %ax, %ax                # page tables and interrupt table, all zero
        movw    $0x1000, %di
        movw    $0x2000, %cx
        cld
        rep stosw
        movw    $0x2003, 0x1000         # one 2 MiB page, mapped to itself
        movw    $0x3003, 0x2000
        movw    $0x0083, 0x3000
        movw    $tick, 0x4200           # interrupt 0x20: the timer
        movw    $8, 0x4202
        movw    $0x8e00, 0x4204

        movl    $0x20, %eax             # long mode: PAE, page table, EFER.LME, paging and protection
        movl    %eax, %cr4
        movl    $0x1000, %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx
        rdmsr
        orl     $0x100, %eax
        wrmsr
        lgdt    gdtr
        lidt    idtr
        movl    %cr0, %eax
        orl     $0x80000001, %eax
        movl    %eax, %cr0
        ljmp    $8, $long

        .code64
long:   movb    $'L', %al
        outb    %al, $0xe9
        movl    $20000000, %ecx
count:  decl    %ecx
        jnz     count
        movb    $'C', %al
        outb    %al, $0xe9

        movb    $0x11, %al              # interrupt controller: vectors from 0x20 and 0x28, timer alone enabled
        outb    %al, $0x20
        outb    %al, $0xa0
        movb    $0x20, %al
        outb    %al, $0x21
        movb    $0x28, %al
        outb    %al, $0xa1
        movb    $4, %al
        outb    %al, $0x21
        movb    $2, %al
        outb    %al, $0xa1
        movb    $1, %al
        outb    %al, $0x21
        outb    %al, $0xa1
        movb    $0xfe, %al
        outb    %al, $0x21
        movb    $0xff, %al
        outb    %al, $0xa1
        movb    $0x34, %al              # timer: every 2 ms (1193182 Hz / 2386)
        outb    %al, $0x43
        movb    $0x52, %al
        outb    %al, $0x40
        movb    $0x09, %al
        outb    %al, $0x40
        xorl    %ebx, %ebx
        sti
wait:   hlt
        cmpl    $20, %ebx
        jb      wait
        movb    $'T', %al
        outb    %al, $0xe9
        movb    $0x2a, %al
        outb    %al, $0xf4
stop:   hlt
        jmp     stop

tick:   incl    %ebx
        movb    $0x20, %al
        outb    %al, $0x20
        iretq

        .balign 8
gdt:    .quad   0
        .quad   0x00209a0000000000      # 64-bit code
        .quad   0x0000920000000000      # data
gdtr:   .word   gdtr - gdt - 1
        .long   gdt
idtr:   .word   0x21 * 16 - 1
        .long   0x4000

        .org    510
        .word   0xaa55
