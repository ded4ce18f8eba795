export function installLimits(): void {}
export function renewBudget(): void {}
