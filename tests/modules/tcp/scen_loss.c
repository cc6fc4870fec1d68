/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenarios to come. */
int main(void)
{
	return 77;
}
